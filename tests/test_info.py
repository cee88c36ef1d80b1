"""`lsbg info` names what a bug report needs, and describes a broken installation too."""

import re
from importlib.metadata import version

import pytest
from snippets import ROOT

from lsbg_classifier.engines.choice import plan_engine
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from pipeline.information import VARIABLES, describe_installation


def line_of(lines, beginning):
    (line,) = [line for line in lines if line.startswith(beginning)]
    return line


def test_versions_of_this_environment_are_named():
    lines = describe_installation(devices=False)
    assert version("lsbg-classifier") in lines[0]
    assert f"numpy {version('numpy')}" in line_of(lines, "required packages")
    assert f"pytest {version('pytest')}" in line_of(lines, "optional packages")
    assert not any(line.startswith("trained by") for line in lines)


def test_the_engine_is_the_one_that_scores():
    planned = plan_engine(find_weights(DEFAULT_WEIGHTS))
    line = line_of(describe_installation(devices=False), "scored by")
    assert line == f"scored by: {planned.software} ({planned.reason})"


def test_weights_are_named_with_their_sha256(monkeypatch, tmp_path):
    (tmp_path / "own.weights.h5").write_bytes(b"")
    monkeypatch.setenv("LSBG_WEIGHTS", str(tmp_path))
    lines = describe_installation(devices=False)
    assert line_of(lines, f"weights: {DEFAULT_WEIGHTS} (default), ")
    assert "cannot be used" in line_of(lines, "weights: own, ")
    assert (
        line_of(lines, "weights of your own") == f"weights of your own: {tmp_path}, 1 file(s), 0 B"
    )


def test_variables_that_change_a_run_are_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in line_of(describe_installation(devices=False), "environment")


def test_all_variables_of_the_reference_are_named():
    page = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`([A-Z]+_?[A-Z_]+)`", page)) <= set(VARIABLES)


@pytest.mark.slow
def test_the_command_names_the_backend(lsbg):
    code, out, err = lsbg("info")
    assert (code, err) == (0, "")
    assert "trained by: Keras with tensorflow on cpu" in out
