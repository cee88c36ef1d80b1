"""Three floors, and arrows only downwards; importing them is quick and silent."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    path
    for floor in ("catalogs", "lsbg_classifier", "pipeline")
    for path in sorted((ROOT / floor).rglob("*.py"))
]

# What no module of a floor may import, wherever in the module.
FORBIDDEN = {
    "catalogs": {"lsbg_classifier", "pipeline", "keras", "tensorflow", "dask", "distributed"},
    "lsbg_classifier": {"pipeline", "dask", "distributed", "typer", "rich"},
    "pipeline": set(),
}


def name_of(path):
    return str(path.relative_to(ROOT))


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def imported(path):
    """Top-level names of all that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module.partition(".")[0]


@each_module
def test_arrows_point_downwards(path):
    floor = path.relative_to(ROOT).parts[0]
    assert not FORBIDDEN[floor] & set(imported(path))


@each_module
def test_no_print_and_no_assert(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


HEAVY = ("tensorflow", "keras", "galsim", "matplotlib", "sklearn")


@pytest.mark.parametrize("module", ["catalogs", "lsbg_classifier", "pipeline", "pipeline.cli"])
def test_import_is_light(module):
    code = f"import sys, {module}; sys.stdout.write(' '.join({{*{HEAVY!r}}} & {{*sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_is_quick():
    code = (
        "import time, sys; start = time.process_time(); import lsbg_classifier, pipeline.cli; "
        "sys.stdout.write(str(time.process_time() - start))"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(2)
    ]
    assert min(times) < 3
