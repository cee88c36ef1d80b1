"""The examples in the docstrings of the public face are run as they stand.

They use the paths that `make demo` leaves: the survey, and the annotated catalog with its cutouts.
"""

import doctest
import re
import shutil

import pytest
from snippets import ROOT

import lsbg_classifier
from catalogs.formats import begins_with
from lsbg_classifier import Classifier, annotate
from lsbg_classifier.completeness.model import CompletenessModel
from lsbg_classifier.reasons import give_reason, take_reasons
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import find_weights

METHODS = (
    *("predict", "spread", "features", "oddness", "unlike_training", "heat_maps"),
    "contribution_maps",
)
EXAMPLES = {
    name: getattr(lsbg_classifier, name)
    for name in lsbg_classifier.__all__
    if name not in ("Classifier", "__version__", "load_completeness")
} | {f"Classifier.{name}": getattr(Classifier, name) for name in METHODS}
EXAMPLES |= {
    "CompletenessModel.predict": CompletenessModel.predict,
    "find_weights": find_weights,
    "survey_named": survey_named,
    "give_reason": give_reason,
    "begins_with": begins_with,
}
"""The public face by its names; the methods that users call, and what plug-ins use.

`load_completeness` needs a measured completeness: docs/howto/completeness.md makes and loads one.
"""


REFERENCE = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
ON_PAGES = {
    "load_completeness": "docs/howto/completeness.md",
    "classify_catalog": "docs/hats.md",
    "hats_properties": "docs/hats.md",
    "classify_hats": "docs/hats.md",
}
"""Functions whose examples are on pages, since they need files that `make demo` does not leave."""


def test_the_reference_has_all_public_names():
    named = set(re.findall(r"auto(?:function|class|exception):: (\w+)$", REFERENCE, re.MULTILINE))
    assert named == set(lsbg_classifier.__all__) - {"__version__"}


def test_every_function_of_the_reference_has_an_example_that_is_run():
    for path in re.findall(r"autofunction:: (\S+)$", REFERENCE, re.MULTILINE):
        name = path.rpartition(".")[2]
        if page := ON_PAGES.get(name):
            assert f"{name}(" in (ROOT / page).read_text(encoding="utf-8"), name
        else:
            assert name in EXAMPLES, name


@pytest.fixture(scope="module")
def demo(survey, tmp_path_factory):
    """A folder as `make demo` leaves it, with a smaller survey."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(survey.tiles.parent, folder / "demo" / "survey")
    annotate(
        folder / "demo/survey/candidates.fits",
        folder / "demo/annotated.fits",
        cutouts=f"tiles:{folder / 'demo/survey/tiles'}",
        keep_cutouts=True,
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_gives_what_it_shows(name, demo, monkeypatch):
    monkeypatch.chdir(demo)
    test = doctest.DocTestFinder(recurse=False).find(EXAMPLES[name], name, globs={})[0]
    assert test.examples, f"{name} has no examples"
    runner, report = doctest.DocTestRunner(), []
    runner.run(test, out=report.append)
    take_reasons()  # of the example of `give_reason`; other tests count from none
    assert not runner.failures, "".join(report)
