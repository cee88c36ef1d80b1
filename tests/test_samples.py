"""Labelled positions: the published lists, a user's catalog, and how they are split."""

import hashlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs import InputError
from lsbg_classifier.training.published import (
    LISTS,
    ListStore,
    PublishedList,
    des_sample,
    hsc_sample,
    match_positions,
)
from lsbg_classifier.training.samples import (
    SPARE,
    SPLITS,
    Sample,
    balanced_split,
    sample_of_catalog,
)


def write_lists(folder, lsbgs=400, others=400, lost=3):
    """Write small lists of the published form; return their hashes."""
    rng = np.random.default_rng(1)

    def table(count):
        return Table(
            {
                "ra": rng.uniform(0, 360, count),
                "dec": rng.uniform(-60, 5, count),
                "MAG_AUTO_G": rng.normal(21, 1, count),
            }
        )

    folder.mkdir()
    positive, negative, easy = table(lsbgs), table(others), table(others)
    positive.write(folder / "random_LSBGs_all.csv", format="ascii.csv")
    negative.write(folder / "random_negative_all_2.csv", format="ascii.csv")
    easy.write(folder / "random_negative_all_1.csv", format="ascii.csv")
    rows = [*zip(positive["ra"], positive["dec"], strict=True)]
    rows += [*zip(negative["ra"], negative["dec"], strict=True)]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    rows[:lost] = [(359.9, 80 + i) for i in range(lost)]
    cut = len(rows) * 3 // 4, len(rows) * 7 // 8
    for name, part in zip(
        ("training", "validation", "test"), np.split(np.array(rows), cut), strict=True
    ):
        lines = [f"{i},{ra:.8f},{dec:.8f}" for i, (ra, dec) in enumerate(part)]
        (folder / f"Baseline_{name}.csv").write_text("\n".join([",ra,dec", *lines]) + "\n")
    return {
        path.name: PublishedList(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }


@pytest.fixture
def store(tmp_path):
    lists = write_lists(tmp_path / "lists")
    return ListStore(tmp_path / "lists", lists=lists)


def test_baseline_labels_come_from_matching(store):
    sample = des_sample(store)
    assert len(sample.labels) == 797
    assert sample.notes == ("3 positions of the baseline are in no list of LSBGs or artifacts",)
    positive = Table.read(store.path("random_LSBGs_all.csv"))
    known = dict(zip(np.round(positive["ra"], 5), positive["MAG_AUTO_G"], strict=True))
    for position, label, magnitude in zip(
        sample.positions, sample.labels, sample.features["MAG_AUTO_G"], strict=True
    ):
        assert (round(position[0], 5) in known) == label
        if label:
            assert known[round(position[0], 5)] == magnitude
    assert [sum(sample.count(split)) for split in SPLITS] == [597, 100, 100]


def test_a_random_split_needs_enough_rows(store):
    with pytest.raises(InputError, match=r"too few for a split of 30000"):
        des_sample(store, split="random")


def test_artifacts_of_type_1_are_spare_rows_of_the_same_sample(store):
    plain, sample = des_sample(store), des_sample(store, type_1=True)
    own, spare = slice(0, 797), slice(797, None)
    for name in ("positions", "labels", "splits"):
        np.testing.assert_array_equal(getattr(sample, name)[own], getattr(plain, name))
    assert plain.artifact_types is None and sample.sha256() != plain.sha256()
    np.testing.assert_array_equal(sample.artifact_types[own], np.where(plain.labels == 1, 0, 2))
    assert [sample.count(split) for split in SPLITS] == [plain.count(split) for split in SPLITS]
    easy = Table.read(store.path("random_negative_all_1.csv"))
    assert set(sample.artifact_types[spare]) == {1} and not sample.labels[spare].any()
    np.testing.assert_array_equal(sample.positions[spare, 0], easy["ra"])
    np.testing.assert_array_equal(sample.features["MAG_AUTO_G"][spare], easy["MAG_AUTO_G"])
    shares = [(sample.splits[spare] == SPARE + split).mean() for split in SPLITS]
    assert shares == pytest.approx([0.75, 0.125, 0.125], abs=0.02)
    again = des_sample(store, type_1=True)
    assert again.sha256() == sample.sha256()
    assert des_sample(store, type_1=True, seed=2).sha256() != sample.sha256()


def test_the_baseline_split_has_lsbgs_of_its_own(store):
    positives = Table({"ra": [1.0], "dec": [2.0]})
    with pytest.raises(InputError, match="take others with a random split"):
        des_sample(store, positives=positives)


@settings(max_examples=50, deadline=None)
@given(
    counts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    sizes=st.tuples(st.integers(2, 40), st.integers(0, 40), st.integers(0, 40)),
    seed=st.integers(0, 9),
)
def test_splits_are_balanced_and_apart(counts, sizes, seed):
    labels = np.repeat([0, 1], counts)
    wanted = dict(zip(SPLITS, sizes, strict=True))
    try:
        splits = balanced_split(labels, wanted, seed)
    except InputError:
        assert min(counts) < sizes[0] // 2 + 2
        return
    for split, size in wanted.items():
        drawn = labels[splits == split]
        assert (drawn == 1).sum() == (drawn == 0).sum() <= size // 2
    assert (splits == "train").sum() == sizes[0] // 2 * 2
    np.testing.assert_array_equal(splits, balanced_split(labels, wanted, seed))


def test_changed_lists_are_refused(store, tmp_path):
    path = tmp_path / "lists" / "random_LSBGs_all.csv"
    path.write_text(path.read_text() + "1,2,3\n")
    with pytest.raises(InputError, match=r"random_LSBGs_all\.csv: not the published file"):
        des_sample(store)


@pytest.mark.slow
def test_lists_are_downloaded_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lists = write_lists(tmp_path / "lists")
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "lists"))

        def log_message(self, *arguments):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        first = des_sample(ListStore(url=url, lists=lists))
        assert len(asked) == 6
        again = des_sample(ListStore(url=url, lists=lists))
        assert len(asked) == 6
        assert first.sha256() == again.sha256()
        missing = {"nothing.csv": PublishedList("nothing.csv", "0" * 64)}
        with pytest.raises(InputError, match=r"nothing\.csv: cannot be downloaded.*--lists"):
            ListStore(url=url, lists=missing).path("nothing.csv")
        wrong = {"Baseline_test.csv": PublishedList("Baseline_test.csv", "0" * 64)}
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
        with pytest.raises(InputError, match="hash differs"):
            ListStore(url=url, lists=wrong).path("Baseline_test.csv")
        assert not list((tmp_path / "elsewhere").rglob("*.csv"))
        server.shutdown()


def test_git_blob_ids():
    empty = PublishedList("empty", git_blob="e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    assert empty.check(b"") and not empty.check(b"\n")


def test_the_published_hsc_lists(shared):
    sample = hsc_sample(ListStore(shared / "lists"))
    assert [sample.count(split) for split in SPLITS] == [(160, 160), (0, 0), (480, 480)]
    assert sample.sha256() == hsc_sample(ListStore(shared / "lists")).sha256()
    assert sample.sha256() != hsc_sample(ListStore(shared / "lists"), seed=2).sha256()


def test_the_published_des_lists_that_are_here(shared):
    store = ListStore(shared / "lists")
    for name in ("Baseline_training.csv", "Baseline_validation.csv", "Baseline_test.csv"):
        assert store.path(name).is_file()
    assert len(LISTS) == 8
    with pytest.raises(InputError, match=r"random_LSBGs_all\.csv: no such list"):
        des_sample(store)


def test_matching_takes_the_same_position_only():
    known = np.array([[10.0, -5.0], [20.0, -5.0]])
    asked = np.array([[20.000005, -5.000005], [10.00002, -5.0], [10.0, -5.0]])
    assert match_positions(asked, known).tolist() == [1, -1, 0]


def write_catalog(path, labels, **columns):
    count = len(labels)
    table = {"RA": np.arange(count) * 1.0, "DEC": np.zeros(count), "LABEL": labels}
    Table(table | columns).write(path)
    return path


def test_a_users_catalog(tmp_path):
    labels = np.tile([1.0, 0.0, 0.0, np.nan], 40)
    sample = sample_of_catalog(write_catalog(tmp_path / "c.fits", labels), "LABEL", seed=1)
    assert sample.notes == ("40 rows without label or position left out",)
    assert [sample.count(split) for split in SPLITS] == [(30, 60), (5, 10), (5, 10)]
    by_position = dict(zip(np.arange(160.0), labels, strict=True))
    assert all(
        by_position[ra] == label
        for ra, label in zip(sample.positions[:, 0], sample.labels, strict=True)
    )


@pytest.mark.parametrize(
    ("labels", "column", "message"),
    [
        ([0, 1, 2] * 20, "LABEL", "must be 0 or 1, not 2"),
        ([1] * 20, "LABEL", "needs LSBGs and others"),
        ([0, 1] * 20, "CLASS", "no column CLASS; name the labels with --label"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, labels, column, message):
    path = write_catalog(tmp_path / "c.fits", labels)
    with pytest.raises(InputError, match=message) as caught:
        sample_of_catalog(path, column, seed=1)
    assert "\n" not in str(caught.value)


def test_the_hash_of_a_sample_tells_any_change():
    positions = np.array([[1.0, 2.0], [3.0, 4.0]])
    labels, splits = np.array([0, 1], np.int8), np.array(["train", "train"])
    hashes = {
        Sample("a", positions, labels, splits).sha256(),
        Sample("a", positions, 1 - labels, splits).sha256(),
        Sample("a", positions + 1e-9, labels, splits).sha256(),
    }
    assert len(hashes) == 3
