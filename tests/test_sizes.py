"""Small modules, small functions, few parameters: what a reader can take in at once."""

import ast
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    path
    for package in ("catalogs", "lsbg_classifier", "pipeline")
    for path in sorted((ROOT / package).rglob("*.py"))
]
MOST_LINES = 450
MOST_PARAMETERS = 7
LONGEST_OF_NINETY_PERCENT = 20

COMMANDS = ("pipeline/commands/", "pipeline/train.py")
"""Modules whose parameters are the options of a command."""

FACE = (("pipeline/annotate.py", "annotate"), ("pipeline/show.py", "show"))
"""Functions that users call from Python with the options of a command."""


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def functions_of(source):
    """All functions of a module, methods and inner functions too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def parameters_of(function):
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in named if one is not None and one.arg not in ("self", "cls")]


def length_of(function):
    """Lines from ``def`` to the end, without those of the docstring."""
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return length
    docstring = function.body[0]
    return length - (docstring.end_lineno - docstring.lineno + 1)


def overloaded(source):
    """Names of the functions with more than seven parameters."""
    return [
        node.name for node in functions_of(source) if len(parameters_of(node)) > MOST_PARAMETERS
    ]


def test_no_module_is_long():
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.slow
def test_functions_have_few_parameters():
    """Exceptions that are no longer needed are refused too."""
    of_all = [
        (name_of(path), name)
        for path in MODULES
        if not name_of(path).startswith(COMMANDS)
        for name in overloaded(path.read_text(encoding="utf-8"))
    ]
    assert of_all == list(FACE)


def test_functions_are_short():
    """Ninety percent of them, over all packages."""
    lengths = [
        length_of(function)
        for path in MODULES
        for function in functions_of(path.read_text(encoding="utf-8"))
    ]
    assert len(lengths) > 1000
    assert np.percentile(lengths, 90) <= LONGEST_OF_NINETY_PERCENT


EXAMPLE = '''
class Things:
    def method(self, a, b, /, c, *rest, d, e=1, **others):
        """One line.

        More.
        """
        def inner(a):
            return a
        return inner

    @classmethod
    async def made(cls, a, b, c, d, e, f, g, h): ...
'''


def test_what_is_measured():
    functions = {node.name: node for node in functions_of(EXAMPLE)}
    assert parameters_of(functions["method"]) == ["a", "b", "c", "d", "e", "rest", "others"]
    assert {name: length_of(node) for name, node in functions.items()} == {
        "method": 4,
        "inner": 2,
        "made": 1,
    }
    assert overloaded(EXAMPLE) == ["made"]
