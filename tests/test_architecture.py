"""Three floors, and arrows only downwards; importing them is quick and silent."""

import ast
import re
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


FACE = ROOT / "lsbg_classifier" / "__init__.py"
UPWARDS = {"__init__.py", "floors.py", "start.py", "stages"}
"""What of `lsbg_classifier` may load the floor above: the public face, and what starts it."""


@each_module
def test_arrows_point_downwards(path):
    floor = path.relative_to(ROOT).parts[0]
    allowed = {"pipeline"} if path == FACE else set()  # for type checkers; see the test below
    assert not (FORBIDDEN[floor] - allowed) & set(imported(path))


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "lsbg_classifier").rglob("*.py")), ids=name_of)
def test_only_the_public_face_names_the_floor_above(path):
    """Names of modules in strings, by which they are loaded late."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"pipeline(\.\w+)*", str(node.value))
    }
    assert not named or path.relative_to(ROOT / "lsbg_classifier").parts[0] in UPWARDS


def test_the_public_face_imports_the_floor_above_for_type_checkers_alone():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, lsbg_classifier; sys.exit('pipeline' in sys.modules)"],
        timeout=60,
    )
    assert done.returncode == 0


@each_module
def test_no_print_and_no_assert(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


MODULES = ["catalogs", "lsbg_classifier", "pipeline", "pipeline.cli", "pipeline.options"]
HEAVY = (
    "numpy",
    "astropy",
    "rich",
    "pyarrow",
    "tensorflow",
    "keras",
    "onnxruntime",
    "numba",
    "distributed",
    "galsim",
    "matplotlib",
    "sklearn",
)


@pytest.mark.parametrize("module", MODULES)
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
