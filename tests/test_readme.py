"""What the README says works, and its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from catalogs.columns import NAMING_STYLES
from catalogs.flags import Flag
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import find_weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("lsbg")
]


@pytest.fixture(scope="module")
def folder(survey, tmp_path_factory):
    """A folder as `make demo` leaves it, with a smaller survey."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "demo").mkdir()
    (folder / "demo" / "survey").symlink_to(survey.tiles.parent)
    return folder


def run(folder, *command):
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_commands_run_in_their_order(folder):
    assert len(COMMANDS) >= 5
    for line in COMMANDS:
        name, *arguments = shlex.split(line)
        run(folder, Path(sys.executable).parent / name, *arguments)
    assert (folder / "scored.fits").is_file()
    assert (folder / "best_and_worst.png").is_file()


@pytest.mark.slow
def test_the_python_runs(folder):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        run(folder, sys.executable, "-c", block)


def test_the_flags_are_the_registrys():
    for flag in Flag:
        scored = "yes" if flag.scored else "no"
        assert f"| {int(flag)} | `{flag.name}` | {scored} | {flag.description} |" in README


def test_the_columns_are_the_codes():
    for names in NAMING_STYLES.values():
        assert all(f"`{name}`" in README for name in names)


def test_the_scores_are_the_cards():
    for weights in ("des-simulated", "des-tuned"):
        for sample, scores in find_weights(weights).card.scores.items():
            row = f"| `{weights}` | {sample} | {scores['count']} |" + "".join(
                f" {scores[name]:.3f} ({scores[f'{name}_low']:.3f}-{scores[f'{name}_high']:.3f}) |"
                for name in ("accuracy", "completeness", "purity", "auc")
            )
            assert row in README


def test_its_files_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists()


def test_the_survey_in_a_file_is_one(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "kids.toml").write_text(block)
    survey = survey_named(str(tmp_path / "kids.toml"))
    assert survey.name == "kids" and survey.imaging(tuple("gri")).bands == ("g", "r", "i")
