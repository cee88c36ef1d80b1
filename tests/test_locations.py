"""Paths that are right in whatever folder a worker was started."""

import pytest

from pipeline.locations import absolute_file, anywhere


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("tiles:here", "tiles:{folder}/here"),
        ("kept:~/out.fits", "kept:{home}/out.fits"),
        ("tiles:https://host/tiles", "tiles:https://host/tiles"),
        ("legacysurvey:des-dr1", "legacysurvey:des-dr1"),
    ],
)
def test_sources(spec, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert anywhere(spec, {}) == (expected.format(folder=tmp_path, home="/home/somebody"), {})


def test_surveys_and_files_that_may_be_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.json").touch()
    assert anywhere("kept:/out", {"survey": "own.toml"})[1] == {"survey": f"{tmp_path}/own.toml"}
    assert anywhere("kept:/out", {"survey": "hsc"})[1] == {"survey": "hsc"}
    assert absolute_file("own.json") == f"{tmp_path}/own.json"
    assert absolute_file("des-real") == "des-real" and absolute_file(None) is None
