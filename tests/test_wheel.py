"""The wheel: what is in it, and that it works alone, far from the source tree."""

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from catalogs.flags import NOT_SCORED
from lsbg_classifier import load_classifier, open_source

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = ("catalogs", "lsbg_classifier", "pipeline")
OURS_ALONE = """
import catalogs, json, lsbg_classifier, pipeline
from importlib.metadata import distribution, entry_points
from lsbg_classifier.weights.registry import known_weights
loaded = [point.load().__name__ for point in distribution("lsbg-classifier").entry_points]
files = [package.__file__ for package in (catalogs, lsbg_classifier, pipeline)]
print(json.dumps({
    "files": files + [str(found.path) for found in known_weights().values()],
    "sources": sorted(point.name for point in entry_points(group="lsbg_classifier.cutout_sources")),
    "loaded": len(loaded),
}))
"""


def run(*command, cwd, env=None):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build in a copy, with what is installed: no build folder is left, nothing is fetched."""
    copy = tmp_path_factory.mktemp("source")
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, copy)
    for folder in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    how = ("--wheel", "--no-isolation", "--skip-dependency-check")
    run(sys.executable, "-m", "build", *how, cwd=copy)
    (built,) = (copy / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment whose only package is the wheel; its dependencies are this one's.

    A folder named in a .pth file is searched, but its own .pth files, and with them an editable
    installation of the source tree, are not.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    how = ("--no-deps", "--no-index", "--no-cache-dir", "-q")
    run(sys.executable, "-m", "pip", "--python", python, "install", *how, wheel, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return folder


@pytest.fixture(scope="module")
def bare_environment(tmp_path_factory):
    """Environment variables of a user who has nothing of ours, and runs nothing of Python's."""
    hidden = ("PYTHON", "LSBG_", "XDG_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {"HOME": str(tmp_path_factory.mktemp("home"))}


def test_holds_the_three_packages_whole_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in names if PurePosixPath(name).parts[0].endswith(".dist-info")}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names - metadata == expected
    assert {name.split("/")[0] for name in names - metadata} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert len({name.split("/")[0] for name in metadata}) == 1


def test_has_weights_cards_and_licence_and_is_small(wheel):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    weights = {name.removesuffix(".weights.h5") for name in names if name.endswith(".weights.h5")}
    cards = {name.removesuffix(".json") for name in names if name.endswith(".json")}
    assert "lsbg_classifier/weights/des-simulated" in weights and weights <= cards
    assert any(name.split("/")[-1] == "LICENSE" for name in names)
    assert wheel.stat().st_size < 30e6


def test_nothing_of_the_source_tree_is_imported(installed, bare_environment, tmp_path):
    answer = run(installed / "bin" / "python", "-c", OURS_ALONE, cwd=tmp_path, env=bare_environment)
    answer = json.loads(answer.splitlines()[-1])
    assert len(answer["files"]) > len(PACKAGES)
    assert all(Path(file).is_relative_to(installed) for file in answer["files"])
    assert {"hips", "legacysurvey", "tiles"} <= set(answer["sources"])
    assert answer["loaded"] >= 4


def test_classifies_a_catalog_from_an_empty_folder(installed, bare_environment, survey, tmp_path):
    Table.read(survey.candidates)[:12].write(tmp_path / "candidates.fits")
    (tmp_path / "empty").mkdir()
    run(
        installed / "bin" / "lsbg",
        "classify",
        tmp_path / "candidates.fits",
        tmp_path / "annotated.fits",
        f"--cutouts=tiles:{survey.tiles}",
        cwd=tmp_path / "empty",
        env=bare_environment,
    )
    got = fits.getdata(tmp_path / "annotated.fits")
    positions = np.stack([got["ALPHA_J2000"], got["DELTA_J2000"]], axis=1)
    cutouts, flags = open_source(f"tiles:{survey.tiles}").fetch(positions)
    expected = np.where(flags & NOT_SCORED, np.nan, load_classifier().predict(cutouts))
    np.testing.assert_array_equal(got["FLAGS_LSBG"], flags)
    np.testing.assert_allclose(got["P_LSBG"], expected, rtol=0, atol=1e-5)
    assert np.isfinite(expected).sum() > 5
    assert not any((tmp_path / "empty").iterdir())
