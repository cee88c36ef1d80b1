"""What many tests need: a small simulated survey, real images, and the command."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from reports import open_browser

from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from pipeline.cli import main

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import onnxruntime first
settings.register_profile("lsbg", deadline=None)  # loops are compiled when first called
settings.load_profile("lsbg")


@pytest.fixture(scope="session")
def survey(tmp_path_factory):
    """Two tiles of 1500 pixels, with their candidates and the truth."""
    folder = tmp_path_factory.mktemp("survey")
    return simulate_survey("des", folder, SurveyPlan(tiles=2, tile_size=1500, lsbgs=160, seed=77))


@pytest.fixture(scope="session")
def small_survey(tmp_path_factory):
    """Two tiles that are just large enough to hold the stars that detection needs."""
    plan = SurveyPlan(tiles=2, tile_size=900, lsbgs=60, seed=11, compressed=False)
    return simulate_survey("des", tmp_path_factory.mktemp("small"), plan)


@pytest.fixture(scope="session")
def shared():
    """Real images and cutouts; absent on most machines."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "real_images").is_dir():
        pytest.skip("the folder of real images is not on this machine")
    return folder


@pytest.fixture
def lsbg(monkeypatch, capsys):
    """Run the command in this process; gives exit status, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lsbg", *map(str, arguments)])
        capsys.readouterr()  # what a fixture printed in this test is not the command's
        code = 0
        try:
            main()
        except SystemExit as ending:
            code = ending.code or 0
        out, err = capsys.readouterr()
        if isinstance(code, str):  # as the interpreter does with it
            return 1, out, f"{err}{code}\n"
        return code, out, err

    return run


@pytest.fixture(scope="module")  # while it runs, so does a loop that asyncio does not share
def browser():
    """A headless Chromium."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def new_page(browser):
    """A page of a context of its own; at the end nothing was asked of others, or went wrong."""
    contexts, requests, errors = [], [], []

    def new(context=None, **options):
        if context is None:
            context = browser.new_context(viewport={"width": 1280, "height": 1000}, **options)
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        return page

    yield new
    for context in contexts:
        context.close()
    assert errors == []
    assert requests
    assert {url.partition(":")[0] for url in requests} <= {"file", "data", "blob"}
