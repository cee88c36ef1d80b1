"""Public functions with two or more parameters describe them, in numpydoc's form."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("catalogs", "lsbg_classifier", "pipeline")

COMMANDS = "pipeline/commands/"
"""Commands: typer would show the section in the help, where each option has its own help."""

WITH_RESULTS = ("catalogs", "pipeline")
"""Packages whose functions also describe what they return, yield or raise themselves."""


def modules():
    """Give the path and the name of each module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, path.relative_to(ROOT).as_posix()


def public_functions(body, of_class=""):
    """Give the qualified name and the tree of public functions and methods, without nested ones."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_"):
                yield f"{of_class}{node.name}", node


def parameter_names(name, function):
    """List the parameters of a function, without `self` and `cls`."""
    arguments = function.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [item.arg for item in (arguments.vararg, arguments.kwarg) if item]
    is_static = any(getattr(item, "id", "") == "staticmethod" for item in function.decorator_list)
    return names[1:] if "." in name and not is_static else names


def lacks_parameters(name, function):
    """Tell whether a function must describe its parameters and does not.

    A method of a contract, such as `write_rows` of a catalog, may refer to it instead.
    """
    text = ast.get_docstring(function) or ""
    refers = "." in name and "see `" in text
    return (
        len(parameter_names(name, function)) > 1
        and not refers
        and "Parameters\n----------" not in text
    )


def incomplete(path):
    """List the functions of a module that lack a section Parameters."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        name for name, function in public_functions(tree.body) if lacks_parameters(name, function)
    ]


def own_nodes(function):
    """Give the nodes of a function without those of functions in it."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            waiting += ast.iter_child_nodes(node)


def lacking_results(name, function):
    """List the sections Returns, Yields and Raises that a function with parameters lacks."""
    text = ast.get_docstring(function) or ""
    if "Parameters\n----------" not in text:
        return []
    nodes = list(own_nodes(function))
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    raises = any(isinstance(node, ast.Raise) and node.exc is not None for node in nodes)
    needed = {"Yields": yields, "Returns": returns and not yields, "Raises": raises}
    return [
        f"{name}: {section}"
        for section, is_needed in needed.items()
        if is_needed and f"{section}\n{'-' * len(section)}" not in text
    ]


@pytest.mark.slow
def test_results_of_public_functions_are_described():
    lacking = [
        f"{module}, {line}"
        for path, module in modules()
        if module.startswith(WITH_RESULTS) and not module.startswith(COMMANDS)
        for name, function in public_functions(ast.parse(path.read_text("utf-8")).body)
        for line in (lacking_results(name, function) if parameter_names(name, function)[1:] else [])
    ]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a", ["f: Returns"]),
        ("return", []),
        ("yield a", ["f: Yields"]),
        ("raise ValueError(a)", ["f: Raises"]),
        ("raise", []),
        ("def g():\n        return a", []),
        ("list(map(lambda: (yield), a))", []),
    ],
)
def test_the_check_sees_results_that_are_missing(body, expected):
    text = f"def f(a, b):\n    '''Do.\n\n    Parameters\n    ----------\n    '''\n    {body}"
    assert lacking_results("f", ast.parse(text).body[0]) == expected


@pytest.mark.slow
def test_parameters_of_public_functions_are_described():
    lacking = {
        module: names
        for path, module in modules()
        if not module.startswith(COMMANDS) and (names := incomplete(path))
    }
    assert not lacking, f"add a section Parameters to {lacking}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b):\n    'No.'", ["f"]),
        (
            "def f(a, b):\n    '''Yes.\n\n    Parameters\n    ----------\n    a, b : int\n    '''",
            [],
        ),
        ("def f(a):\n    'One.'", []),
        ("def _f(a, b):\n    'Private.'", []),
        ("class A:\n    def f(self, a, *, b):\n        'No.'", ["A.f"]),
        ("class A:\n    def f(self, a):\n        'One.'", []),
        ("class A:\n    def f(self, a, b):\n        'Cut; see `B.f`.'", []),
        ("class A:\n    @staticmethod\n    def f(a, b):\n        'No.'", ["A.f"]),
        ("class _A:\n    def f(self, a, b):\n        'Private.'", []),
    ],
)
def test_the_check_sees_what_is_missing(source, expected, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(source)
    assert incomplete(path) == expected


NO_OBJECTS = r"\.py$|^lsbg_classifier\.(images|catalog_formats|cutout_sources|networks|weights)$"
"""Dotted names that are files, loggers and groups of entry points."""


def exists(name):
    """Tell whether a dotted name is a module, or something in one; True if it cannot be loaded."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                return True  # it needs a package that is not here
            continue
        except Exception:  # an extra that is not installed
            return True
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found is not None
    return False


@pytest.mark.slow
def test_what_docstrings_refer_to_is_there():
    referred = {
        (module, name)
        for path, module in modules()
        for name in re.findall(
            rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`", path.read_text(encoding="utf-8")
        )
        if not re.search(NO_OBJECTS, name)
    }
    assert len(referred) > 100
    assert not sorted(each for each in referred if not exists(each[1]))


def test_the_check_sees_references_that_lead_nowhere():
    assert exists("catalogs.formats.FORMATS") and exists("catalogs.columns")
    assert not exists("catalogs.formats.NOTHING") and not exists("catalogs.no_such_module.f")
