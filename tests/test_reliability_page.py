"""The page of promises names tests that exist, and nothing else that could become wrong."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)))


def test_every_promise_names_its_tests():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    rows = [line for line in rows if line != "| promise | proven by |"]
    assert len(rows) > 20
    for row in rows:
        promise, proof = row.strip("| ").split(" | ")
        assert promise.endswith(".")
        assert re.fullmatch(r"`test_\w+\.py::test_\w+`(, `test_\w+\.py::test_\w+`)*", proof), row


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: part)
def test_every_named_test_is_there_and_runs(file, name):
    """As a function of its own, that nothing skips or expects to fail."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    (found,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    marks = " ".join(ast.unparse(decorator) for decorator in found.decorator_list)
    assert "skip" not in marks and "xfail" not in marks


def test_what_the_page_names_is_there():
    """Every other word of code on it is an option, a command or a pattern that is in the code."""
    others = set(re.findall(r"`([^`]+)`", PAGE)) - {"::".join(pair) for pair in NAMED}
    code = "".join(
        path.read_text(encoding="utf-8") for path in (TESTS.parent / "pipeline").rglob("*.py")
    )
    code += (TESTS.parent / "catalogs" / "output.py").read_text(encoding="utf-8")
    code += (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    known = {
        "--resume": "\n    resume: bool = field(",
        "--connections": "\n    connections: int | None = field(",
        "--log": "\n    log: str | Path | None = field(",
        "--adapt": "\n    adapt: tuple[int, int] | None = field(",
        "make test-all": "\ntest-all:",
        ".npy": ".npy file",
        ".NAME.PID.partial": ".{output.name}.{os.getpid()}.partial",
        "NAME.journal/output": 'self.folder = journal / "output"',
    }
    assert others == set(known)
    for said in known.values():
        assert said in code, said
