"""Labelled cutouts on disk: fetched once, resumed, refused when they are others'."""

import threading

import numpy as np
import pytest

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.dataset import CutoutDataset, build_dataset
from lsbg_classifier.training.samples import Sample


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
