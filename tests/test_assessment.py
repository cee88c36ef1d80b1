"""Judging weights on labelled cutouts: the numbers, the tables, and what is refused."""

import numpy as np
import pytest

from catalogs import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.training.assessment import (
    LabelledCutouts,
    confident,
    evaluate,
    write_evaluation,
)
from lsbg_classifier.training.intervals import METRICS


def discs(count=40):
    """Faint blue discs, and stars off the centre."""
    rng = np.random.default_rng(2)
    labels = np.arange(count) % 2
    y, x = np.mgrid[:64, :64] - 31.5
    galaxy = np.exp(-np.hypot(x, y) / 5)[..., None] * [45, 60, 75]
    star = np.exp(-((np.hypot(x - 20, y + 18) / 3) ** 2))[..., None] * [220, 220, 220]
    images = 32 + rng.normal(0, 6, (count, 64, 64, 3))
    images += np.where(labels[:, None, None, None], galaxy, star)
    return np.clip(images, 0, 255).astype(np.uint8), labels


@pytest.fixture
def files(tmp_path):
    """Cutouts and labels as files; the last row has no label."""
    images, labels = discs()
    np.save(tmp_path / "cutouts.npy", images)
    lines = [f"{i},{label}" for i, label in enumerate(labels)]
    lines[-1] = f"{len(labels) - 1},"
    (tmp_path / "labels.csv").write_text("\n".join(["index,label", *lines]) + "\n")
    return tmp_path / "cutouts.npy", tmp_path / "labels.csv"


@pytest.mark.slow
def test_an_evaluation_adds_up(files, tmp_path):
    cutouts = LabelledCutouts.read(*files)
    assert len(cutouts.labels) == 39
    found = write_evaluation(load_classifier(), cutouts, tmp_path / "out")
    assert sum(found.confusion.values()) == found.count == 39
    right = found.confusion["true_positive"] + found.confusion["true_negative"]
    assert found.scores["accuracy"][0] == pytest.approx(right / 39)
    for name in METRICS:
        value, low, high = found.scores[name]
        assert np.isnan(value) or low <= value <= high
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json",
        "evaluation.md",
        "evaluation.png",
        "gradcam.png",
    }
    assert found.published == {}
    assert "paper" not in (tmp_path / "out" / "evaluation.md").read_text()


def test_the_papers_numbers_stand_beside_its_own_sample():
    images, labels = discs()
    cutouts = LabelledCutouts("DES, published baseline split", images, labels)
    found, _ = evaluate(load_classifier(), cutouts)
    table = found.to_markdown()
    assert "| accuracy |" in table and "0.920 (0.912 to 0.928)" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {4}


def test_the_confident_ones_are_the_extreme_ones():
    labels = np.array([1, 1, 1, 0, 0, 0])
    probabilities = np.array([0.9, 0.99, 0.2, 0.1, 0.01, 0.7])
    found = {title: rows.tolist() for title, rows in confident(labels, probabilities, 0.5).items()}
    assert found == {
        "LSBGs called LSBG": [1, 0],
        "others called other": [4, 3],
        "others called LSBG": [5],
        "LSBGs called other": [2],
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("index,label\n0,1\n", "LSBGs and of others"),
        ("index,label\n0,1\n1,2\n", "must be 0 or 1"),
        ("index,label\n0,1\n400,0\n", "not cutouts and their labels"),
        ("row,class\n0,1\n", "not cutouts and their labels"),
        ("", "LSBGs and of others|not cutouts"),
    ],
)
def test_labels_that_cannot_be_used(files, labels, message):
    files[1].write_text(labels)
    with pytest.raises(InputError, match=message) as caught:
        LabelledCutouts.read(*files)
    assert "\n" not in str(caught.value)


def test_cutouts_that_cannot_be_used(files, tmp_path):
    np.save(files[0], np.zeros((40, 32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="not uint8 cutouts of 64x64x3"):
        LabelledCutouts.read(*files)
    np.save(files[0], np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not cutouts and their labels"):
        LabelledCutouts.read(*files)
    with pytest.raises(InputError, match="not a dataset of cutouts"):
        LabelledCutouts.read(tmp_path)
