"""Other packages add sources and weights, and broken ones harm nothing."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from snippets import blocks_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts import source
from lsbg_classifier.weights.registry import (
    DEFAULT_WEIGHTS,
    broken_weights,
    find_weights,
    known_weights,
)


def run(*command, cwd, **variables):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with the package of docs/plugins.md installed, as pip does it."""
    folder = tmp_path_factory.mktemp("package")
    for block in blocks_of("docs/plugins.md"):
        if block.file:
            (folder / block.file).parent.mkdir(exist_ok=True)
            (folder / block.file).write_text(block.text)
        elif block.language == "python":
            run(sys.executable, "-c", block.text, cwd=folder)
    target = tmp_path_factory.mktemp("packages")
    how = ("--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir", "-q")
    run(sys.executable, "-m", "pip", "install", *how, "--target", target, ".", cwd=folder)
    return target


@pytest.mark.long
@pytest.mark.slow
def test_a_package_with_a_source_and_weights(packages, survey, tmp_path):
    rows = np.array(fits.getdata(survey.candidates))[::10]
    fits.BinTableHDU(rows).writeto(tmp_path / "in.fits")
    positions = np.stack([rows["ALPHA_J2000"], rows["DELTA_J2000"]], axis=1).astype(float)
    cutouts, _ = open_source(f"tiles:{survey.tiles}").fetch(positions)
    np.savez(tmp_path / "stamps.npz", positions=positions[1:], cutouts=cutouts[1:])
    lsbg = Path(sys.executable).with_name("lsbg")
    options = ("--cutouts", "stamps:stamps.npz", "--weights", "stamps", "--quiet")
    where = {"cwd": tmp_path, "PYTHONPATH": str(packages)}
    assert "\nstamps: DES-like cutouts" in "\n" + run(lsbg, "weights", **where)
    run(lsbg, "classify", "in.fits", "out.fits", *options, **where)
    with fits.open(tmp_path / "out.fits") as hdus:
        table, header = hdus[1].data, hdus[1].header
        expected = load_classifier("des-real").predict(cutouts[1:])
        np.testing.assert_allclose(table["P_LSBG"][1:], expected, atol=1e-5)
        assert np.isnan(table["P_LSBG"][0]) and table["FLAGS_LSBG"][0] == Flag.NO_COVERAGE
        assert header["LSBGWGT"] == "stamps" and header["LSBGSRC"].startswith("stamps:/")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lay out a package as installers leave it, where the interpreter looks for packages."""
    monkeypatch.syspath_prepend(tmp_path)
    source._installed_kinds.cache_clear()

    def lay_out(name, group, points, **files):
        metadata = tmp_path / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{key} = {value}\n" for key, value in points.items())
        (metadata / "entry_points.txt").write_text(f"[lsbg_classifier.{group}]\n{lines}")
        for module, text in files.items():
            (tmp_path / f"{module}.py").write_text(text)
        return tmp_path

    yield lay_out
    source._installed_kinds.cache_clear()


def add_weights(folder, name, **changes):
    """Put a copy of the default weights into a package of this name."""
    shipped = find_weights(DEFAULT_WEIGHTS)
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    shutil.copy(shipped.path, folder / f"{name}.weights.h5")
    replace(shipped.card, **({"name": name} | changes)).write(folder / f"{name}.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("", r"AttributeError.*opener"),
    ],
)
def test_a_source_that_cannot_be_loaded(install, survey, text, message):
    install("bad-source", "cutout_sources", {"bad": "bad_module:opener"}, bad_module=text)
    with pytest.raises(InputError, match=rf"^bad: .*bad-source cannot be loaded .*{message}"):
        open_source("bad:x")
    assert open_source(f"tiles:{survey.tiles}").imaging.survey == "des"
    sys.modules.pop("bad_module", None)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("def opener(path, survey='des')", "choose from survey"),
        ("def opener(path, /, survey='des')", "choose from survey"),
        ("def opener(path)", "leave it out"),
    ],
)
def test_an_option_that_a_source_does_not_take(install, head, message):
    install(
        "plain-source", "cutout_sources", {"plain": "plain_module:opener"},
        plain_module=f"{head}:\n    raise RuntimeError('opened')",
    )  # fmt: skip
    with pytest.raises(InputError, match=f"^plain: takes no option bands; {message}$"):
        open_source("plain:x", bands="gri")
    with pytest.raises(RuntimeError, match="opened"):
        open_source("plain:x")
    sys.modules.pop("plain_module", None)


def test_what_is_no_source(install):
    install("no-source", "cutout_sources", {"no": "builtins:str"})
    with pytest.raises(InputError, match="no-source provides no cutout source"):
        open_source("no:x")


def test_our_sources_cannot_be_replaced(install, survey):
    install("thief", "cutout_sources", {"tiles": "builtins:str"})
    assert open_source(f"tiles:{survey.tiles}").spec.startswith("tiles:")


def test_weights_of_a_package_and_broken_ones(install, lsbg):
    """All that can be wrong with packages at once; the good set is used nevertheless."""
    folder = install(
        "several", "weights", {"fine": "fine_weights", "gone": "no_such_package",
        "module": "a_module", "none": "no_weights"}, a_module="",
    )  # fmt: skip
    install("thief", "weights", {"thief": "thief_weights"})
    install("twin", "weights", {"twin": "twin_weights"})
    add_weights(folder / "fine_weights", "fine")
    add_weights(folder / "fine_weights", "changed", sha256="0" * 64)
    add_weights(folder / "thief_weights", DEFAULT_WEIGHTS, description="not the shipped one")
    add_weights(folder / "twin_weights", "fine")
    (folder / "no_weights").mkdir()
    (folder / "no_weights" / "__init__.py").touch()
    (folder / "fine_weights" / "damaged.weights.h5").touch()
    (folder / "fine_weights" / "damaged.json").write_text(json.dumps({"name": "damaged"}))

    assert {"fine", DEFAULT_WEIGHTS, "des-real"} <= set(known_weights())
    assert "not the shipped" not in find_weights(DEFAULT_WEIGHTS).card.description
    find_weights("fine").check_intact()
    with pytest.raises(InputError, match="sha256 differs"):
        find_weights("changed").check_intact()
    broken = {name: str(error) for name, error in broken_weights().items()}
    assert "package several cannot be loaded (ModuleNotFoundError" in broken["gone"]
    assert "package several has no *.weights.h5 in a_module" in broken["module"]
    assert "package several has no *.weights.h5 in no_weights" in broken["none"]
    assert "not a card" in broken["damaged"]
    assert "another has" in broken[f"{DEFAULT_WEIGHTS} of thief"]
    assert {"fine of twin", "fine of several"} & set(broken)
    with pytest.raises(InputError, match="cannot be loaded"):
        find_weights("gone")
    code, out, err = lsbg("weights")
    assert (code, err) == (0, "")
    assert "\ngone: cannot be used; gone: the installed package several cannot" in out
