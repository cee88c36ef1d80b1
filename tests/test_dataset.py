"""Labelled cutouts on disk: fetched once, resumed, refused when they are others'."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.dataset import CutoutDataset, build_dataset, open_dataset
from lsbg_classifier.training.dataset_parts import part_path, read_part, replace_columns
from lsbg_classifier.training.samples import SPARE, Sample


class Sky:
    """A cutout source on a sky whose cutouts tell their own position."""

    spec = "test:sky"
    connections = None
    imaging = survey_named("des").imaging()

    def __init__(self, dies_after=None):
        self.asked = []
        self._dies_after = dies_after
        self._lock = threading.Lock()

    def group(self, positions):
        return None

    def fetch(self, positions):
        with self._lock:
            if self._dies_after is not None and len(self.asked) >= self._dies_after:
                raise InputError("the sky fell down")
            self.asked += positions[:, 0].tolist()
        cutouts, flags = empty_cutouts(len(positions))
        cutouts[:] = (positions[:, 0] % 256).astype(np.uint8)[:, None, None, None]
        flags[positions[:, 1] > 80] = Flag.NO_COVERAGE
        return cutouts, flags


def sample(count=700, seed=0):
    rng = np.random.default_rng(seed)
    positions = np.stack([np.arange(count) % 360, rng.uniform(-80, 80, count)], axis=1)
    positions[::50, 1] = 85
    splits = np.array(["train", "train", "test"])[np.arange(count) % 3]
    labels = rng.integers(0, 2, count).astype(np.int8)
    return Sample("a sample", positions, labels, splits, {"MAG": rng.normal(size=count)})


def test_what_goes_in_comes_out(tmp_path):
    made = sample()
    dataset = build_dataset(tmp_path, made, Sky())
    usable = made.positions[:, 1] < 80
    for split in ("train", "test", None):
        rows = usable if split is None else usable & (made.splits == split)
        images, labels = dataset.load(split)
        np.testing.assert_array_equal(images[:, 5, 9, 1], made.positions[rows, 0] % 256)
        np.testing.assert_array_equal(labels, made.labels[rows])
        table = dataset.table(split, ["MAG", "ra"])
        np.testing.assert_array_equal(table["MAG"], made.features["MAG"][rows])


def test_failed_positions_are_listed_and_left_out(tmp_path):
    dataset = build_dataset(tmp_path, sample(), Sky())
    assert [row for row, *_ in dataset.failed()] == list(range(0, 700, 50))
    lines = (tmp_path / "failed.csv").read_text().splitlines()
    assert lines[0] == "row,ra,dec,flags"
    assert lines[1] == "0,0.0,85.0,NO_COVERAGE"
    assert len(lines) == 15


def test_a_stopped_download_goes_on_where_it_was(tmp_path):
    with pytest.raises(InputError, match="fell down"):
        build_dataset(tmp_path, sample(), Sky(dies_after=300))
    kept = len(list(tmp_path.glob("part-*.parquet")))
    assert kept >= 2
    with pytest.raises(InputError, match="cutouts are missing"):
        CutoutDataset(tmp_path)
    sky, seen = Sky(), []
    resumed = build_dataset(tmp_path, sample(), sky, progress=lambda *done: seen.append(done))
    assert len(sky.asked) == 700 - 128 * kept
    assert seen[-1] == (700, 700)
    whole = build_dataset(tmp_path / "whole", sample(), Sky())
    np.testing.assert_array_equal(resumed.load()[0], whole.load()[0])
    again = Sky()
    build_dataset(tmp_path, sample(), again)
    assert again.asked == []


def test_another_sample_or_source_is_refused(tmp_path):
    build_dataset(tmp_path, sample(), Sky())
    with pytest.raises(InputError, match="another sample"):
        build_dataset(tmp_path, sample(seed=1), Sky())
    elsewhere = Sky()
    elsewhere.spec = "test:other"
    with pytest.raises(InputError, match="another sample or source"):
        build_dataset(tmp_path, sample(), elsewhere)


@pytest.mark.parametrize("content", ["", "{}", '{"imaging": 3}', "[1]"])
def test_damaged_manifest(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="not a dataset of cutouts") as caught:
        CutoutDataset(tmp_path)
    assert "\n" not in str(caught.value)


def typed_sample():
    """Two parts: the first has spare rows of the training split, the second no row of it."""
    made = sample(256)
    made.positions[:, 1] = 0
    splits = np.where(np.arange(256) < 128, "train", "test").astype("<U16")
    splits[5:128:5] = SPARE + "train"
    types = np.where(made.labels == 1, 0, 1 + np.arange(256) % 2).astype(np.int8)
    return replace(made, splits=splits, artifact_types=types)


def test_spare_rows_come_only_when_asked_for(tmp_path):
    made = typed_sample()
    dataset = build_dataset(tmp_path, made, Sky())
    for split, spare, rows in (
        ("train", False, made.splits == "train"),
        ("train", True, np.arange(256) < 128),
        ("validation", True, np.zeros(256, bool)),
        (None, False, ~np.char.startswith(made.splits, SPARE)),
        (None, True, np.ones(256, bool)),
    ):
        images, types = dataset.load(split, spare=spare, labels="artifact_type")
        np.testing.assert_array_equal(images[:, 5, 9, 1], made.positions[rows, 0] % 256)
        np.testing.assert_array_equal(types, made.artifact_types[rows])
        np.testing.assert_array_equal(
            dataset.table(split, ["row"], spare=spare)["row"], *rows.nonzero()
        )


def test_types_of_artifacts_are_a_column_where_they_are_known(tmp_path):
    assert "artifact_type" in build_dataset(tmp_path / "a", typed_sample(), Sky()).column_names
    assert "artifact_type" not in build_dataset(tmp_path / "b", sample(), Sky()).column_names


def test_columns_are_replaced_and_all_else_stays(tmp_path):
    dataset = build_dataset(tmp_path, sample(200), Sky())
    path = part_path(tmp_path, 0)
    before, images = read_part(path), dataset.load()[0]
    replace_columns(path, {"label": np.ones(128, np.int8), "new": np.arange(128)})
    after = read_part(path)
    assert set(after.column_names) == {*before.column_names, "new"}
    assert after["new"].to_pylist() == list(range(128)) and set(after["label"].to_pylist()) == {1}
    kept = [name for name in before.column_names if name != "label"]
    assert after.select(kept).equals(before.select(kept))
    assert "image" not in read_part(path, without=("image",)).column_names
    assert not list(tmp_path.glob("*.partial"))
    replace_columns(part_path(tmp_path, 1), {"new": np.arange(72)})
    np.testing.assert_array_equal(CutoutDataset(tmp_path).load()[0], images)


def test_the_dataset_in_the_folder_of_a_training(tmp_path):
    build_dataset(tmp_path / "training" / "cutouts", sample(200), Sky())
    for folder in (tmp_path / "training", tmp_path / "training" / "cutouts"):
        assert open_dataset(folder).folder == tmp_path / "training" / "cutouts"
    with pytest.raises(InputError, match="not a dataset of cutouts"):
        open_dataset(tmp_path)
