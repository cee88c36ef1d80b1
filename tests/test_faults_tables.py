"""Any table: every other column stays as it was, and each score is on its own row.

The images come from a server that answers in an order of its own, in units of any size, so that
results come back in any order.
"""

import random
import time
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_catalogs_fits import FORMS, fill
from viewer import Viewer, blobs, jpeg, rgb

from catalogs.flags import Flag
from lsbg_classifier import load_classifier, open_source
from pipeline import annotate

PLACES = 12
KINDS = {
    "int": (pa.int32(), lambda n: n),
    "text": (pa.string(), lambda n: "t" * n),
    "bytes": (pa.binary(), lambda n: bytes([n]) * n),
    "list": (pa.list_(pa.int8()), lambda n: [n] * n),
    "vector": (pa.list_(pa.float32(), 2), lambda n: [n, -n]),
    "struct": (pa.struct({"a": pa.int16(), "b": pa.string()}), lambda n: {"a": n, "b": "b" * n}),
    "time": (pa.timestamp("ns", "UTC"), lambda n: n),
    "bool": (pa.bool_(), lambda n: n > 1),
    "decimal": (pa.decimal128(9, 3), lambda n: n),
    "word": (pa.dictionary(pa.int8(), pa.string()), str),
}
"""Types of columns -> how a small number becomes a value of each."""

ROWS = st.lists(st.integers(0, PLACES), max_size=40)
"""For each row the number of its place: some twice, some never; the last stands for none."""

CHUNKS = st.integers(1, 50)
SEEDS = st.integers(0, 9999)


@pytest.fixture(scope="module")
def viewer():
    """Each position has an image of its own; each answer its own delay."""
    planes = blobs(size=500, spots=70)
    sky = rgb([planes[band] for band in "grz"])
    corners = np.random.default_rng(6).integers(0, 500 - 256, (PLACES, 2))
    images = [jpeg(sky[y : y + 256, x : x + 256]) for y, x in corners]

    def faults(number, path):
        time.sleep(random.random() * 0.03)
        return ("body", images[zlib.crc32(path.encode()) % PLACES])

    with Viewer(faults=faults) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def places(viewer):
    """Positions, and what must come out of each: probability and flags."""
    positions = np.random.default_rng(3).uniform((30, -40), (40, -30), (PLACES, 2))
    source = open_source("legacysurvey:des-dr1", url=viewer.url)
    classifier = load_classifier()
    cutouts, flags = source.fetch(positions)
    source.close()
    flags[classifier.unlike_training(cutouts)] |= Flag.UNLIKE_TRAINING
    probability = classifier.predict(cutouts)
    assert len(np.unique(probability)) > PLACES / 2
    return (
        np.vstack([positions, [np.nan, np.nan]]),
        np.append(probability, np.float32(np.nan)),
        np.append(flags, np.int16(Flag.NO_POSITION)),
    )


def run(viewer, folder, suffix, chunk_size):
    annotate(
        folder / f"in{suffix}",
        folder / f"out{suffix}",
        cutouts="legacysurvey:des-dr1",
        source_options={"url": viewer.url},
        chunk_size=chunk_size,
    )


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(rows=ROWS, forms=st.lists(FORMS, max_size=6), chunk_size=CHUNKS, seed=SEEDS)
def test_any_fits_table(viewer, places, tmp_path_factory, rows, forms, chunk_size, seed):
    folder, rng = tmp_path_factory.mktemp("any"), np.random.default_rng(seed)
    positions = places[0][rows]
    columns = [
        fits.Column(f"C{number}", form, array=fill(form, len(rows), rng))
        for number, form in enumerate(forms)
    ]
    for name, values in zip(("RA", "DEC"), positions.T, strict=True):
        at = rng.integers(len(columns) + 1)
        columns.insert(at, fits.Column(name, "D", "deg", array=values))
    fits.BinTableHDU.from_columns(columns, nrows=len(rows)).writeto(folder / "in.fits")
    run(viewer, folder, ".fits", chunk_size)
    with fits.open(folder / "in.fits") as old, fits.open(folder / "out.fits") as new:
        before, after = old[1], new[1]
        assert after.columns.names == [*before.columns.names, "P_LSBG", "FLAGS_LSBG"]
        for name in before.columns.names:
            assert after.columns[name].format == before.columns[name].format
            assert str(after.data[name].tolist()) == str(before.data[name].tolist())
        np.testing.assert_array_equal(after.data["P_LSBG"], places[1][rows])
        np.testing.assert_array_equal(after.data["FLAGS_LSBG"], places[2][rows])


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rows=ROWS,
    kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=6),
    group=st.integers(1, 50),
    chunk_size=CHUNKS,
    seed=SEEDS,
)
def test_any_parquet_table(viewer, places, tmp_path_factory, rows, kinds, group, chunk_size, seed):
    folder, rng = tmp_path_factory.mktemp("any"), np.random.default_rng(seed)
    columns = []
    for number, kind in enumerate(kinds):
        dtype, make = KINDS[kind]
        values = [None if rng.random() < 0.3 else make(int(rng.integers(4))) for _ in rows]
        columns.append((f"c{number}", pa.array(values, dtype)))
    for name, values in zip(("ra", "dec"), places[0][rows].T, strict=True):
        columns.insert(rng.integers(len(columns) + 1), (name, pa.array(values, from_pandas=True)))
    pq.write_table(pa.table(dict(columns)), folder / "in.parquet", row_group_size=group)
    run(viewer, folder, ".parquet", chunk_size)
    before, after = (pq.read_table(folder / f"{name}.parquet") for name in ("in", "out"))
    assert after.column_names == [*before.column_names, "p_lsbg", "flags_lsbg"]
    assert after.select(before.column_names).equals(before)
    np.testing.assert_array_equal(after["p_lsbg"].to_numpy(), places[1][rows])
    np.testing.assert_array_equal(after["flags_lsbg"].to_numpy(), places[2][rows])
    missing = sum(place == PLACES for place in rows)
    assert after["p_lsbg"].null_count == missing and after["flags_lsbg"].null_count == 0
