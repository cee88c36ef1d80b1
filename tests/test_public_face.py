"""One package to import from: its names, how light it is, and that the docs use nothing else."""

import ast
import logging
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from snippets import PAGES, ROOT

import lsbg_classifier

EXTENDING = {"docs/plugins.md", "docs/pipelines.md", "docs/clusters.md", "docs/hats.md"}
"""Pages about extending the project, or about running it within another."""

FACE = {
    *("annotate", "classify_positions", "load_classifier", "open_source", "open_catalog", "show"),
    *("Flag", "InputError", "Classifier", "CutoutSource", "__version__", "load_completeness"),
}


def test_every_name_is_there_and_is_the_one_below():
    from catalogs import InputError, open_catalog
    from catalogs.flags import Flag
    from lsbg_classifier.scoring import classify_positions
    from pipeline import annotate, show

    assert set(lsbg_classifier.__all__) == FACE <= set(dir(lsbg_classifier))
    assert lsbg_classifier.__version__ == version("lsbg-classifier")
    for thing in (InputError, open_catalog, Flag, classify_positions, annotate, show):
        assert getattr(lsbg_classifier, thing.__name__) is thing
    namespace = {}
    exec("from lsbg_classifier import *", namespace)
    assert FACE <= set(namespace)


def test_what_tools_read_is_what_is_loaded():
    """The imports for type checkers name the same modules as the table of homes."""
    tree = ast.parse((ROOT / "lsbg_classifier" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == lsbg_classifier._HOMES


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'classify'"):
        _ = lsbg_classifier.classify


HEAVY = ("tensorflow", "keras", "dask", "distributed", "astropy", "numpy", "pandas", "pipeline")


def test_import_loads_nothing():
    code = (
        "import sys, lsbg_classifier; dir(lsbg_classifier); lsbg_classifier.__version__; "
        f"sys.stdout.write(' '.join({{*{HEAVY!r}}} & {{*sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_quiet_unless_somebody_listens(capsys, caplog):
    logger = logging.getLogger("lsbg_classifier.images")
    assert any(
        isinstance(handler, logging.NullHandler)
        for handler in logging.getLogger("lsbg_classifier").handlers
    )
    code = (
        "import lsbg_classifier; from lsbg_classifier.reasons import *; "
        "from catalogs.flags import Flag; give_reason(Flag.BAD_IMAGE, 'file', 'damaged')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with caplog.at_level(logging.WARNING, logger="lsbg_classifier"):
        logger.warning("heard")
    assert "heard" in caplog.text


def imports_of(text):
    """Yield (module, name) of all imports; name is None for ``import module``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


CODE = re.compile(r"^```(?:python|\{code-cell\}[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""Blocks of Python, also the cells of tutorials."""


def python_of(page):
    """Yield the Python code of a page, without options and commands of notebook cells."""
    for text in CODE.findall((ROOT / page).read_text(encoding="utf-8")):
        yield "\n".join(line for line in text.splitlines() if line[:1] not in {":", "%", "!"})


def too_deep(text):
    """Return what a block imports of ours that is not the public face."""
    ours = re.compile(r"(catalogs|pipeline|lsbg_classifier)(\.|$)")
    return [
        (module, name)
        for module, name in imports_of(text)
        if ours.match(module) and (module != "lsbg_classifier" or name not in {*FACE, None})
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in EXTENDING])
def test_docs_import_from_the_public_face_alone(page):
    for text in python_of(page):
        assert too_deep(text) == []


def test_tutorials_are_read_too():
    cells = [text for page in PAGES if "tutorials" in page for text in python_of(page)]
    assert any("from lsbg_classifier import annotate" in text for text in cells)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in EXTENDING])
def test_docs_name_no_function_below_the_public_face(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"`pipeline\.(annotate|show)|from pipeline import", text)


def test_the_check_finds_deeper_imports():
    assert too_deep("import numpy, lsbg_classifier\nfrom lsbg_classifier import annotate") == []
    for text in (
        "from pipeline import annotate",
        "import pipeline.show",
        "def f():\n    from lsbg_classifier.surveys import SURVEYS",
        "from lsbg_classifier import surveys",
        "from catalogs import open_catalog",
    ):
        assert len(too_deep(text)) == 1
