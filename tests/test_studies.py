"""The paper's studies: what they train on, what they write, and that a stop changes nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbg_classifier import load_classifier
from lsbg_classifier.network import build_network
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim
from lsbg_classifier.training.dataset_parts import part_path, write_part
from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.training.evaluation_figures import draw_study
from lsbg_classifier.training.figure_style import write_figure
from lsbg_classifier.training.samples import SPLITS
from lsbg_classifier.training.studies import SIDES, deal_folds, other_split, with_wrong_labels
from pipeline.cli import main

LSBG = Path(sys.executable).with_name("lsbg")
QUICK = ("--epochs", "2", "--batch", "16", "--learning-rate", "0.02", "--quiet")
STUDIES = {
    "splits": ("--count", "2"),
    "folds": ("--count", "2", "--from", "des-simulated"),
    "label-noise": ("--fractions", "0,0.25", "--sides", "lsbgs"),
    "transfer": ("--from", "des-simulated"),
    "three-classes": ("--recipe", "robust"),
}
TRAININGS = {
    "splits": ["split-2", "split-3"],
    "folds": ["fold-1", "fold-2"],
    "label-noise": ["noise-lsbgs-0", "noise-lsbgs-0.25"],
    "transfer": ["after-all-layers", "after-dense-layers-only", "from-scratch"],
    "three-classes": ["three-classes"],
}


def make_dataset(folder, *, splits=("train", "validation", "test"), types=True):
    """Discs in the middle (LSBGs), at the side (type 2) and single bright pixels (type 1)."""
    rng = np.random.default_rng(4)
    kinds = np.tile([0, 2, 0, 2, 1], 24)
    y, x = np.mgrid[:64, :64]
    centre = np.where(kinds == 0, 31.5, 12.0)[:, None, None]
    glow = np.exp(-((x - centre) ** 2 + (y - centre) ** 2) / 200) * (kinds != 1)[:, None, None]
    images = 32 + 25 * glow[..., None] + rng.normal(0, 8, (120, 64, 64, 3))
    images[kinds == 1, 20, 40] = 255
    share = np.resize(np.repeat(["train", "validation", "test"], [5 * 6, 5 * 2, 5 * 4]), 120)
    split = np.where(kinds == 1, np.char.add("spare ", share), share)[np.isin(share, splits)]
    kinds, images = kinds[np.isin(share, splits)], images[np.isin(share, splits)]
    count = len(kinds)
    columns = {
        "row": np.arange(count),
        "ra": np.zeros(count),
        "dec": np.zeros(count),
        "label": (kinds == 0).astype(np.int8),
        "split": split.astype(object),
        "flags": np.zeros(count, np.int16),
    }
    columns |= {"artifact_type": kinds.astype(np.int8)} if types else {}
    claim(folder, Manifest("made up", "0", "nowhere:", survey_named("des").imaging(), 1))
    write_part(part_path(folder, 0), columns, np.clip(images, 0, 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("cutouts"))


@pytest.fixture
def lsbg(lsbg):
    """Run ``lsbg study`` in this process; gives exit status, standard output and error."""
    return partial(lsbg, "study")


@pytest.fixture(scope="module")
def done(cutouts, tmp_path_factory):
    """Run each study once; gives its folder."""
    found = {}

    def run(name):
        if name not in found:
            found[name] = tmp_path_factory.mktemp("studies") / name
            with pytest.MonkeyPatch.context() as patch:
                command = ["study", name, cutouts, found[name], *QUICK, *STUDIES[name]]
                patch.setattr(sys, "argv", ["lsbg", *map(str, command)])
                with pytest.raises(SystemExit, match=r"^0$"):
                    main()
        return found[name]

    return run


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def study_of(folder):
    return json.loads((folder / "study.json").read_text(), parse_constant=refuse)


def epochs_of(folder, training):
    return json.loads((folder / training / "checkpoint.json").read_text())["epochs"]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_written_whole(done, name):
    study, table = study_of(done(name)), (done(name) / "study.md").read_text()
    assert (done(name) / "study.png").read_bytes().startswith(b"\x89PNG")
    assert study["sample"] == "made up" and study["seed"] == 1
    assert "epochs: 2" in study["recipe"] and "batches of 16" in study["recipe"]
    for row in study["rows"]:
        assert f"\n| {row['name']} |" in table
        for value, low, high in row["scores"].values():
            assert value is None or 0 <= low <= value <= high <= 1
    for training in TRAININGS[name]:
        assert [epoch["epoch"] for epoch in epochs_of(done(name), training)] == [1, 2]
        assert (done(name) / training / "history.csv").read_text().count("\n") == 3
    made = {path.name for path in done(name).iterdir()}
    assert made == {"study.json", "study.md", "study.png", *TRAININGS[name]}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_finished_study_is_not_repeated(lsbg, cutouts, done, name):
    checkpoints = sorted(done(name).rglob("checkpoint*"))
    before = [path.stat().st_mtime_ns for path in checkpoints]
    text = (done(name) / "study.json").read_text()
    (done(name) / "study.json").unlink()
    code, said, errors = lsbg(name, cutouts, done(name), *QUICK, *STUDIES[name], "--resume")
    assert (code, errors) == (0, "")
    assert [path.stat().st_mtime_ns for path in checkpoints] == before
    assert (done(name) / "study.json").read_text() == text
    assert said.startswith((done(name) / "study.md").read_text())


@pytest.mark.long
@pytest.mark.slow
def test_a_study_trains_the_network_that_is_named(lsbg, cutouts, tmp_path):
    out = tmp_path / "out"
    code, _, errors = lsbg(
        "splits", cutouts, out, *QUICK, "--count", "2", "--architecture", "residual"
    )
    assert (code, errors) == (0, "")
    assert "network residual" in study_of(out)["recipe"]
    with h5py.File(next((out / "split-2").glob("*.h5"))) as file:
        names = []
        file.visit(names.append)
    assert any("global_average" in name or "add" in name for name in names)


def test_a_network_beside_weights_that_have_one_is_refused(lsbg, cutouts, tmp_path):
    arguments = ("folds", cutouts, tmp_path / "out", "--from", "des-simulated")
    code, _, errors = lsbg(*arguments, "--architecture", "residual")
    assert code == 1 and "leave out --architecture" in errors
    code, _, errors = lsbg("splits", cutouts, tmp_path / "out", "--architecture", "nonsense")
    assert code == 1 and "choose one of deepshadows, residual" in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.slow
def test_killed_and_resumed_is_the_same_study(lsbg, cutouts, done, tmp_path):
    command = [LSBG, "study", "splits", cutouts, tmp_path / "out", *QUICK, *STUDIES["splits"]]
    checkpoint = tmp_path / "out" / "split-3" / "checkpoint.json"
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not checkpoint.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out" / "study.json").exists()
    finished = (tmp_path / "out" / "split-2" / "checkpoint.json").stat().st_mtime_ns
    code, _, errors = lsbg(*map(str, command[2:]), "--resume")
    assert (code, errors) == (0, "")
    assert (tmp_path / "out" / "split-2" / "checkpoint.json").stat().st_mtime_ns == finished
    for training in TRAININGS["splits"]:
        for one, other in zip(
            epochs_of(tmp_path / "out", training),
            epochs_of(done("splits"), training),
            strict=True,
        ):
            assert one == pytest.approx(other, rel=1e-3)
    assert study_of(tmp_path / "out") == study_of(done("splits"))


@pytest.mark.long
@pytest.mark.slow
def test_other_splits_are_others_of_the_same_size(cutouts, done):
    one, other = study_of(done("splits"))["rows"]
    assert [one["name"], other["name"]] == ["split 2", "split 3"]
    assert one["count"] == other["count"] == len(CutoutDataset(cutouts).load("test")[1])
    first, second = (epochs_of(done("splits"), name)[0]["loss"] for name in TRAININGS["splits"])
    assert first != second


@pytest.mark.long
@pytest.mark.slow
def test_before_the_transfer_the_weights_are_as_they_are(cutouts, done):
    images, labels = CutoutDataset(cutouts).load("test")
    expected = judge(labels, load_classifier("des-simulated").predict(images))
    before, *after = study_of(done("transfer"))["rows"]
    for name in ("accuracy", "completeness", "auc"):
        assert before["scores"][name][0] == pytest.approx(getattr(expected, name), abs=1e-6)
    assert before["published"]["accuracy"] == 0.821
    assert [row["published"] != {} for row in after] == [True, False, False]
    assert (
        "| published accuracy | published area under ROC |"
        in (done("transfer") / "study.md").read_text()
    )


@pytest.mark.long
@pytest.mark.slow
def test_three_classes_are_as_many_of_each(cutouts, done):
    study = study_of(done("three-classes"))
    counts = np.array(study["confusion"])
    rarest = (CutoutDataset(cutouts).load("test", spare=True, labels="artifact_type")[1] == 1).sum()
    assert counts.sum(axis=1).tolist() == [rarest] * 3
    assert [row["count"] for row in study["rows"]] == [counts.sum()] * 3
    completeness = np.array([row["scores"]["completeness"][0] for row in study["rows"]])
    np.testing.assert_allclose(completeness, counts.diagonal() / counts.sum(axis=1))
    right = counts.trace() / counts.sum()
    assert f"accuracy of all three: {right:.3f}" in study["notes"][0]
    assert (
        "| is / was called | type 2 artifact | LSBG |"
        in (done("three-classes") / "study.md").read_text()
    )


def test_the_network_of_three_classes():
    network = build_network(3)
    images = np.random.default_rng(0).random((4, 64, 64, 3), dtype=np.float32)
    found = network.predict_on_batch(images)
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert network.count_params() == build_network().count_params() + 2 * 1025


@settings(max_examples=100, deadline=None)
@given(
    labels=st.lists(st.integers(0, 1), max_size=60),
    fraction=st.floats(0, 1),
    side=st.sampled_from(SIDES),
    seed=st.integers(0, 99),
)
def test_wrong_labels_are_as_many_as_said_and_on_the_side_said(labels, fraction, side, seed):
    labels = np.array(labels, np.int8)
    given_labels = labels.copy()
    noisy = with_wrong_labels(labels, fraction, side, seed)
    turned = noisy != labels
    concerned = {"both": labels >= 0, "lsbgs": labels == 1, "others": labels == 0}[side]
    assert turned.sum() == round(fraction * concerned.sum())
    assert not turned[~concerned].any()
    assert noisy.dtype == np.int8 and set(noisy.tolist()) <= {0, 1}
    np.testing.assert_array_equal(labels, given_labels)
    np.testing.assert_array_equal(noisy, with_wrong_labels(labels, fraction, side, seed))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(SPLITS)), min_size=1, max_size=60),
    seed=st.integers(0, 99),
)
def test_another_split_has_as_many_of_each_label(rows, seed):
    labels, splits = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], object)
    dealt = other_split(splits, labels, seed)
    assert sorted(zip(labels, dealt, strict=True)) == sorted(rows)
    np.testing.assert_array_equal(dealt, other_split(splits, labels, seed))


def test_another_seed_gives_another_split():
    splits, labels = np.repeat(SPLITS, [60, 20, 20]), np.arange(100) % 2
    found = [other_split(splits, labels, seed).tolist() for seed in range(5)]
    assert len({*map(tuple, found), tuple(splits)}) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], r"no study 'nothing': choose splits, folds, label-noise, transfer"),
        (["splits", "--fractions", "0.1"], r"--fractions is for the study label-noise, not for sp"),
        (["splits", "--from", "des-simulated"], r"--from is for the study folds and transfer, n"),
        (["three-classes", "--count", "2"], r"--count is for the study splits and folds, not"),
        (["transfer", "--from", "des-simulated", "--sides", "both"], r"--sides is for the study l"),
        (["transfer"], r"transfer needs the weights to start with; name them with --from"),
        (["transfer", "--from", "unheard-of"], r"unknown weights 'unheard-of'"),
        (["transfer", "--from", "no.weights.h5"], r"no\.weights\.h5: no such file of weights"),
        (["label-noise", "--fractions", "0.1,few"], r"--fractions: numbers .*, not '0\.1,few'"),
        (["label-noise", "--fractions", ""], r"--fractions: numbers separated by commas, not ''"),
        (["label-noise", "--fractions", "0.1,1.5"], r"between 0 and 1, not 1\.5"),
        (["label-noise", "--fractions=-0.1"], r"between 0 and 1, not -0\.1"),
        (["label-noise", "--fractions", "nan"], r"between 0 and 1, not nan"),
        (["label-noise", "--sides", "both,mine"], r"of both, lsbgs, others, not mine"),
        (
            ["splits", "--recipe", "secret"],
            r"no recipe 'secret': choose published, robust, rehearsed",
        ),
    ],
)
def test_bad_options_are_one_line(lsbg, cutouts, tmp_path, arguments, message):
    name, *options = arguments
    assert_one_line(lsbg(name, cutouts, tmp_path / "out", *options), message)
    assert not list(tmp_path.glob("out/*"))


def assert_one_line(result, message):
    code, said, errors = result
    assert (code, said) == (1, "")
    assert re.fullmatch(rf"lsbg: .*{message}.*\n", errors), errors


def without_test(folder):
    return make_dataset(folder, splits=("train", "validation"))


def without_types(folder):
    return make_dataset(folder, types=False)


def without_part(folder):
    part_path(make_dataset(folder), 0).unlink()
    return folder


def empty(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("splits", lambda path: path, r"in: not a dataset of cutouts"),
        ("splits", empty, r"in: not a dataset of cutouts"),
        ("splits", without_part, r"in: cutouts are missing; make the dataset again"),
        ("three-classes", without_types, r"in: has no types of artifacts; make it with"),
        ("three-classes", without_test, r"in: a class is missing in its test split"),
        ("splits", without_test, r"in: needs LSBGs and others in its test split"),
        ("label-noise", without_test, r"in: needs LSBGs and others in its test split"),
        ("transfer", without_test, r"in: needs LSBGs and others in its test split"),
    ],
)
def test_cutouts_that_cannot_be_used_are_one_line(lsbg, tmp_path, name, make, message):
    options = ("--from", "des-simulated") if name == "transfer" else ()
    folder = make(tmp_path / "in")
    assert_one_line(lsbg(name, folder, tmp_path / "out", *QUICK, *options), message)
    assert not list(tmp_path.glob("out/*"))


def test_a_folder_with_something_in_it_is_left_alone(lsbg, cutouts, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    message = r"not empty; add --resume to go on with its trainings, or --overwrite"
    assert_one_line(lsbg("splits", cutouts, tmp_path), message)
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.long
@pytest.mark.slow
def test_a_study_goes_on_only_as_it_began(lsbg, cutouts, done):
    """Last of all: the study that was done is done again."""
    options = [*QUICK, *STUDIES["three-classes"]]
    other = ["three-classes", cutouts, done("three-classes"), *options, "--seed", "5", "--resume"]
    assert_one_line(lsbg(*other), r"three-classes.checkpoint\.json: belongs to a training with an")
    before = study_of(done("three-classes"))
    code, _, errors = lsbg("three-classes", cutouts, done("three-classes"), *options, "--overwrite")
    assert (code, errors) == (0, "")
    assert study_of(done("three-classes"))["confusion"] == before["confusion"]


@pytest.mark.slow
@pytest.mark.parametrize("with_curves", [False, True])
@pytest.mark.parametrize("count", [1, 7])
def test_the_figure(tmp_path, with_curves, count):
    scores = {
        f"row {i}": {"accuracy": (0.5, 0.4, 0.6), "auc": (1.0, 1.0, 1.0)} for i in range(count)
    }
    judged = np.array([0, 1, 1]), np.array([0.1, 0.7, 0.4])
    figure = draw_study(scores, dict.fromkeys(scores, judged) if with_curves else {})
    write_figure(figure, tmp_path / "a.png", pdf=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.long
@pytest.mark.slow
def test_every_cutout_is_judged_by_a_training_that_has_not_seen_it(done):
    before, folds = study_of(done("folds"))["rows"]
    assert (before["name"], folds["name"]) == ("before", "fine-tuned, 2 folds")
    assert before["count"] == folds["count"] == 96


@given(st.integers(2, 9), st.lists(st.integers(0, 1), min_size=1, max_size=60), st.integers(0, 9))
def test_folds_share_each_class_evenly(count, labels, seed):
    labels = np.array(labels)
    fold = deal_folds(labels, count, seed)
    assert set(fold) <= set(range(count))
    for value in (0, 1):
        sizes = np.bincount(fold[labels == value], minlength=count)
        assert sizes.max() - sizes.min() <= 1


def test_more_folds_than_cutouts_of_a_class(lsbg, cutouts, tmp_path):
    code, _, err = lsbg("folds", cutouts, tmp_path / "out", "--count", "60", "--epochs", "1")
    assert code == 1 and "too few for 60 folds; ask for fewer with --count" in err
