"""The training commands, as real processes: from labelled positions to weights that classify."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from catalogs import open_catalog
from lsbg_classifier import load_classifier
from lsbg_classifier.calibration import logit
from lsbg_classifier.likeness import load_likeness
from lsbg_classifier.training.dataset import CutoutDataset
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import find_weights

BIN = Path(sys.executable).parent


def environment(tmp_path):
    return os.environ | {
        "LSBG_WEIGHTS": str(tmp_path / "weights"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def run(tmp_path, command, *arguments):
    return subprocess.run(
        [BIN / command, *map(str, arguments)],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )


@pytest.fixture
def labelled(survey, tmp_path):
    """The candidates of the simulated survey with their labels as a column."""
    candidates = Table.read(survey.candidates)
    candidates["IS_LSBG"] = Table.read(survey.truth)["LABEL"]
    candidates.write(tmp_path / "labelled.fits")
    return tmp_path / "labelled.fits"


def training(survey, labelled, out, *more):
    return (
        out, "--sample", labelled, "--label", "IS_LSBG", "--cutouts", f"tiles:{survey.tiles}",
        "--epochs", "3", "--batch", "16", "--no-register", *more,
    )  # fmt: skip


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.long
@pytest.mark.slow
def test_from_labels_to_weights_that_classify(survey, labelled, tmp_path):
    done = run(
        tmp_path,
        "lsbg-train-des",
        *training(survey, labelled, "out", "--name", "mine", "--register"),
    )
    assert done.returncode == 0, done.stderr
    assert "registered as 'mine'" in done.stdout
    card = Card.read(tmp_path / "weights" / "mine.json")
    assert card.survey == "des" and card.bands == ("g", "r", "z")
    assert "sha256" in card.sample and card.recipe.startswith("lsbg-train-des out --sample")
    (scores,) = card.scores.values()
    assert scores["accuracy_low"] <= scores["accuracy"] <= scores["accuracy_high"]
    assert [row["epoch"] for row in history(tmp_path / "out")] == [1, 2, 3]
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")

    options = (survey.candidates, "scored.fits", "--cutouts", f"tiles:{survey.tiles}")
    scored = run(tmp_path, "lsbg", "classify", *options, "--weights", "mine")
    assert scored.returncode == 0, scored.stderr
    probability = open_catalog(tmp_path / "scored.fits").read_column("P_LSBG", 0, 20)
    assert ((probability >= 0) & (probability <= 1)).any()

    judged = run(tmp_path, "lsbg", "evaluate", "mine", "out/cutouts", "judged", "--baselines")
    assert judged.returncode == 0, judged.stderr
    assert "random forest" in judged.stdout and "note:" not in judged.stderr
    seen = run(tmp_path, "lsbg", "evaluate", "mine", "out", "seen", "--split", "train")
    count = int(card.sample.split()[0])
    assert f"note: mine was trained on {count} of these {count} cutouts" in seen.stderr
    assert "better than on cutouts" in (tmp_path / "seen" / "evaluation.md").read_text()
    found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert found["scores"]["accuracy"][0] == pytest.approx(scores["accuracy"], abs=1e-3)
    assert sum(found["confusion"].values()) == found["count"] == scores["count"]
    for name in ("evaluation.png", "gradcam.png"):
        assert (tmp_path / "judged" / name).read_bytes().startswith(b"\x89PNG")
    assert "| accuracy |" in (tmp_path / "judged" / "evaluation.md").read_text()

    tuned = run(
        tmp_path, "lsbg-train-hsc",
        *training(survey, labelled, "tuned", "--from", "mine", "--layers", "dense", "--register"),
    )  # fmt: skip
    assert tuned.returncode == 0, tuned.stderr
    card = Card.read(tmp_path / "weights" / "my-hsc.json")  # hsc is for the published sample
    assert "starting from mine" in card.sample
    assert card.description.endswith(f"has seen {labelled.name}, fine-tuned from mine")

    again = run(tmp_path, "lsbg-train-des", *training(survey, labelled, "out", "--name", "mine"))
    assert again.returncode == 1
    assert "mine.weights.h5: exists already; add --overwrite" in again.stderr


@pytest.mark.long
@pytest.mark.slow
def test_killed_and_resumed_is_the_same_training(survey, labelled, tmp_path):
    whole = run(tmp_path, "lsbg-train-des", *training(survey, labelled, "whole"))
    assert whole.returncode == 0, whole.stderr
    command = [BIN / "lsbg-train-des", *map(str, training(survey, labelled, "killed"))]
    process = subprocess.Popen(
        command, env=environment(tmp_path), cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while not (tmp_path / "killed" / "checkpoint.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = run(tmp_path, "lsbg-train-des", *training(survey, labelled, "killed", "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    expected, found = history(tmp_path / "whole"), history(tmp_path / "killed")
    np.testing.assert_allclose(
        [row["loss"] for row in found], [row["loss"] for row in expected], rtol=1e-3
    )
    options = ("--resume", "--prior", "0.25", "--name", "rarer")
    rarer = run(tmp_path, "lsbg-train-des", *training(survey, labelled, "killed", *options))
    assert rarer.returncode == 0, rarer.stderr
    images = np.random.default_rng(1).integers(0, 99, (9, 64, 64, 3), np.uint8)
    usual, shifted = (
        logit(load_classifier(tmp_path / "killed" / f"{name}.weights.h5").predict(images))
        for name in ("my-des", "rarer")
    )
    trained = CutoutDataset(tmp_path / "killed" / "cutouts").load("train")[1].mean()
    np.testing.assert_allclose(shifted - usual, logit(0.25) - logit(trained), atol=0.01)
    cards = [
        find_weights(tmp_path / "killed" / f"{n}.weights.h5").card for n in ("my-des", "rarer")
    ]
    assert [card.prior for card in cards] == [round(trained, 4), 0.25]


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "nothing.fits"], "nothing.fits: no such sample or file; choose baseline"),
        (["--lists", "."], "random_LSBGs_all.csv: no such list"),
        (["--from", "unheard-of"], "unknown weights 'unheard-of'"),
        (["--recipe", "unheard-of"], "no recipe 'unheard-of': choose published, robust, rehearsed"),
        (["--positives", "simbad"], "--positives is published or vizier, not simbad"),
        (["--sample", "one.fits", "--layers", "dense"], "--layers dense needs weights"),
        (["--sample", "one.fits", "--name", "a/b"], "'a/b' is no name for weights"),
        (["--sample", "one.fits", "--name", "des-simulated"], "ships with this software"),
        (["--sample", "one.fits", "--label", "CLASS"], "no column CLASS"),
        (["--sample", "odd.fits"], "LABEL must be 0 or 1, not 7"),
        (["--sample", "one.fits"], "needs LSBGs and others"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    for name, labels in (("one.fits", [1, 1, 1]), ("odd.fits", [0, 1, 7])):
        Table({"RA": [1.0, 2, 3], "DEC": [0.0, 0, 0], "LABEL": labels}).write(tmp_path / name)
    done = run(tmp_path, "lsbg-train-des", "out", *arguments)
    assert done.returncode == 1
    assert message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "out" / "cutouts").exists()


@pytest.mark.long
@pytest.mark.parametrize(("name", "surveys"), [("des", 48), ("hsc", 8)])
def test_a_simulated_sample_needs_no_network(tmp_path, name, surveys):
    arguments = ("out", "--sample", "simulated", "--name", "mine", "--from", "none", "--dry-run")
    done = run(tmp_path, f"lsbg-train-{name}", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{surveys} simulated surveys of {name}\nrecipe: robust, from")
    assert "ms a step" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.parametrize("command", ["lsbg-train-des", "lsbg-train-hsc"])
def test_simulated_samples_have_defaults_of_their_own(tmp_path, command):
    """A name that is not that of the shipped weights, and these to start from."""
    done = run(tmp_path, command, "out", "--sample", "simulated", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "simulated surveys" in done.stdout


@pytest.fixture
def stored(tmp_path):
    """Twenty cutouts in a file, and their labels."""
    rng = np.random.default_rng(1)
    np.save(tmp_path / "cutouts.npy", rng.integers(0, 255, (20, 64, 64, 3), np.uint8))
    lines = [f"{row},{row % 2}" for row in range(19)]
    (tmp_path / "labels.csv").write_text("\n".join(["index,label", *lines, "19,"]) + "\n")
    return "--sample", "cutouts.npy", "--label", "labels.csv"


@pytest.mark.long
@pytest.mark.slow
def test_fine_tuned_on_cutouts_in_a_file(stored, tmp_path):
    options = ("--whole", "--from", "des-simulated", "--name", "tuned", "--no-register")
    done = run(tmp_path, "lsbg-train-des", "out", *stored, *options, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert "9 LSBGs, 10 others" in done.stdout
    dataset = CutoutDataset(tmp_path / "out" / "cutouts")
    images, labels = dataset.load("train")
    np.testing.assert_array_equal(images, np.load(tmp_path / "cutouts.npy")[:19])
    np.testing.assert_array_equal(labels, np.arange(19) % 2)
    weights = tmp_path / "out" / "tuned.weights.h5"
    assert Card.read(weights.with_name("tuned.json")).scores == {}
    started = load_likeness(find_weights("des-simulated").path)
    np.testing.assert_array_equal(load_likeness(weights).form, started.form)


@pytest.mark.long
@pytest.mark.slow
def test_fine_tuned_beside_another_sample(stored, tmp_path):
    """The other sample is named on the card, and must show the same kind of images."""
    common = ("lsbg-train-des", "out", *stored, "--whole", "--from", "des-simulated")
    more = ("--name", "tuned", "--no-register", "--epochs", "1")
    done = run(tmp_path, *common[:1], "other", *stored, "--whole", "--from", "des-simulated", *more)
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, *common, *more, "--beside", "other")
    assert done.returncode == 0, done.stderr
    card = Card.read(tmp_path / "out" / "tuned.json")
    assert ", beside cutouts;" in card.sample and "--beside other" in card.recipe
    manifest = tmp_path / "other" / "cutouts" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"des"', '"hsc"'))
    done = run(tmp_path, *common, *more, "--beside", "other", "--overwrite")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "not the images of the sample: survey is 'hsc', not 'des'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["nonsense", "jax"])
def test_a_backend_that_is_missing_is_one_line(tmp_path, backend):
    if backend == "jax" and importlib.util.find_spec("jax"):
        pytest.skip("JAX is installed")
    done = subprocess.run(
        [BIN / "lsbg-train-des", "out", "--sample", "simulated", "--dry-run"],
        env=environment(tmp_path) | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert backend in done.stderr and "KERAS_BACKEND" in done.stderr


@pytest.mark.long
def test_cutouts_in_a_file_without_their_labels(stored, tmp_path):
    done = run(tmp_path, "lsbg-train-des", "out", *stored[:2], "--dry-run")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cutouts.npy, LABEL: not cutouts and their labels" in done.stderr


KIDS = 'name = "kids"\npixel_scale = 0.263\nzero_point = 30.0\n'


@pytest.mark.long
@pytest.mark.slow
def test_weights_of_a_survey_that_a_file_describes(survey, labelled, tmp_path):
    (tmp_path / "kids.toml").write_text(KIDS)
    ours = ("--survey", "kids.toml")
    options = training(survey, labelled, "out", "--name", "kids", "--register", *ours)
    trained = run(tmp_path, "lsbg-train-des", *options)
    assert trained.returncode == 0, trained.stderr
    card = Card.read(tmp_path / "weights" / "kids.json")
    assert card.survey == "kids" and card.pixel_scale == pytest.approx(0.526)
    classify = ("classify", labelled, "scored.fits", "--weights", "kids", "-q")
    classify += ("--cutouts", f"tiles:{survey.tiles}")
    refused = run(tmp_path, "lsbg", *classify)
    assert refused.returncode == 1 and "survey is 'des', not 'kids'" in refused.stderr
    done = run(tmp_path, "lsbg", *classify, *ours)
    assert done.returncode == 0, done.stderr
    assert "P_LSBG" in Table.read(tmp_path / "scored.fits").colnames
