"""Arrow IPC files, Feather and streams: the same batches with two columns more."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogs import InputError, find_selection, lsbg_columns, open_catalog, write_chosen
from catalogs import arrow as arrow_module
from catalogs.details import describe_columns, read_values
from catalogs.formats import check_name, format_named, recognise

KINDS = {"arrow": ("in.arrow", ipc.new_file), "arrow-stream": ("in.arrows", ipc.new_stream)}
PROVENANCE = {"weights": "w é", "source": "tiles:x"}
BIG = 2**64 - 1


TYPES = {
    "ra": pa.float64(),
    "dec": pa.float64(),
    "id": pa.uint64(),
    "view": pa.string_view(),
    "bytes": pa.binary_view(),
    "word": pa.dictionary(pa.int8(), pa.string()),
    "shape": pa.list_(pa.float32(), 2),
    "bands": pa.struct({"g": pa.int64(), "r": pa.list_(pa.int64())}),
    "when": pa.timestamp("ns", "UTC"),
    "price": pa.decimal128(20, 2),
    "ok": pa.bool_(),
    "run": pa.run_end_encoded(pa.int32(), pa.string()),
}


def a_batch(start, stop, words=("a", "b")):
    """Arrays of many types; some rows have no values."""
    rows = range(start, stop)
    some = [None if n % 4 == 0 else n for n in rows]
    texts = [None if n is None else f"name {n} é" for n in some]
    codes = pa.array([n % len(words) for n in rows], pa.int8())
    values = {
        "ra": [(n * 7.25) % 360 for n in rows],
        "dec": [n % 90 - 45.0 for n in rows],
        "id": [BIG - n for n in rows],
        "view": texts,
        "bytes": [None if text is None else text.encode() for text in texts],
        "word": pa.DictionaryArray.from_arrays(codes, list(words)),
        "shape": [[n, n + 1.0] for n in rows],
        "bands": [{"g": n, "r": [n]} for n in rows],
        "when": some,
        "price": [decimal.Decimal(n) / 4 for n in rows],
        "ok": [None if n is None else n % 3 == 0 for n in some],
        "run": ["x"] * len(rows),
    }
    return [
        value if isinstance(value, pa.Array) else pa.array(value, TYPES[name])
        for name, value in values.items()
    ]


def a_schema():
    fields = [pa.field(name, type_) for name, type_ in TYPES.items()]
    fields[0] = pa.field("ra", pa.float64(), False, {"unit": "deg", "description": "east"})
    return pa.schema(fields, {"made by": "somebody"})


def write(path, new, sizes=(5, 0, 7), words=(("a", "b"),), **options):
    """Batches of these sizes, with metadata of their own."""
    schema = a_schema()
    with new(str(path), schema, options=ipc.IpcWriteOptions(**options)) as writer:
        row = 0
        for number, size in enumerate(sizes):
            columns = a_batch(row, row + size, words[number % len(words)])
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
            writer.write_batch(batch, {"batch": str(number)})
            row += size
    return path


def reader_of(path):
    source = pa.OSFile(str(path))
    return ipc.open_stream(source) if path.suffix == ".arrows" else ipc.open_file(source)


def batches_of(path):
    """Batches with their own metadata."""
    reader = reader_of(path)
    if path.suffix == ".arrows":
        return list(reader.iter_batches_with_custom_metadata())
    count = range(reader.num_record_batches)
    return [reader.get_batch_with_custom_metadata(number) for number in count]


def values_for(start, stop):
    rows = np.arange(start, stop)
    return np.where(rows % 3, rows / 10, np.nan).astype("f4"), (rows % 5).astype("i2")


def annotate(path, output, **options):
    catalog = open_catalog(path)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(output, columns, values_for, PROVENANCE, **options)
    return output


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.slow
@given(
    sizes=st.lists(st.integers(0, 9), max_size=4),
    compression=st.sampled_from([None, "lz4", "zstd"]),
    most=st.sampled_from([1 << 20, 4]),
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_value_and_batch_stays(kind, tmp_path, sizes, compression, most):
    name, new = KINDS[kind]
    path = write(tmp_path / name, new, sizes, compression=compression)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_module, "_MOST_ROWS", most)
        output = annotate(path, tmp_path / f"out_{name}")
    assert recognise(output).name == kind
    before, after = reader_of(path).schema, reader_of(output).schema
    for field in before:
        assert after.field(field.name).equals(field, check_metadata=True)
    assert after.names == [*before.names, "p_lsbg", "flags_lsbg"]
    assert after.metadata == before.metadata | {b"lsbg." + k.encode(): v.encode()
                                                for k, v in PROVENANCE.items()}  # fmt: skip
    row, pieces = 0, batches_of(output)
    for old, notes in batches_of(path):
        parts = [pieces.pop(0) for _ in range(max(-(-old.num_rows // most), 1))]
        assert all(own == notes for _, own in parts)
        new_table = pa.Table.from_batches([part for part, _ in parts])
        assert new_table.select(before.names).to_pylist() == old.to_pylist()
        probability, flags = values_for(row, row + old.num_rows)
        expected = [None if np.isnan(p) else p for p in probability.tolist()]
        assert new_table["p_lsbg"].to_pylist() == expected
        assert new_table["flags_lsbg"].to_pylist() == flags.tolist()
        row += old.num_rows
    assert not pieces and open_catalog(output).row_count == row
    assert open_catalog(output)._messages.compression == (compression if sizes else None)


def test_the_same_input_gives_the_same_bytes(kind, tmp_path):
    name, new = KINDS[kind]
    path = write(tmp_path / name, new, compression="zstd")
    first = annotate(path, tmp_path / f"a_{name}").read_bytes()
    assert annotate(path, tmp_path / f"b_{name}").read_bytes() == first
    again = annotate(tmp_path / f"a_{name}", tmp_path / f"c_{name}", overwrite_columns=True)
    assert again.read_bytes() == first
    with pytest.raises(InputError, match="already has the column p_lsbg"):
        annotate(tmp_path / f"a_{name}", tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_values_are_read_from_any_row(kind, tmp_path):
    name, new = KINDS[kind]
    path = write(tmp_path / name, new, (5, 0, 7, 3), compression="lz4")
    catalog, rows = open_catalog(path), np.arange(15)
    expected = np.transpose([(rows * 7.25) % 360, rows % 90 - 45.0])
    for start, stop in [(0, 15), (4, 6), (5, 12), (13, 15), (3, 3), (0, 2)]:
        np.testing.assert_array_equal(catalog.read_positions(start, stop), expected[start:stop])
    details = {detail.name: detail for detail in describe_columns(catalog)}
    assert details["ra"].unit == "deg" and details["ra"].description == "east"
    assert read_values(catalog, details["id"], np.array([14, 2])).tolist() == [BIG - 14, BIG - 2]
    assert read_values(catalog, details["view"], np.array([4, 5])).tolist() == [None, "name 5 é"]
    for text, chosen in {
        f"id == {BIG - 6}": [6],
        "view == 'name 13 é'": [13],
        "word == 'b' and shape[1] > 13": [13],
        "ok": [3, 6, 9],
    }.items():
        keep = find_selection(text, catalog).keep(catalog, 0, 15)
        assert np.flatnonzero(keep).tolist() == chosen


def test_some_rows(kind, tmp_path):
    name, new = KINDS[kind]
    path, keep = write(tmp_path / name, new), np.arange(12) % 3 == 1
    write_chosen(open_catalog(path), tmp_path / f"out_{name}", keep)
    before, after = (
        [row for batch, _ in batches_of(file) for row in batch.to_pylist()]
        for file in (path, tmp_path / f"out_{name}")
    )
    assert after == [row for row, chosen in zip(before, keep, strict=True) if chosen]
    assert reader_of(tmp_path / f"out_{name}").schema.equals(a_schema(), check_metadata=True)


def test_dictionaries_that_grow_or_change(tmp_path):
    grow = (("a",), ("a", "b"), ("a", "b", "c"))
    for name, new, words, options in [
        ("deltas.arrow", ipc.new_file, grow, {"emit_dictionary_deltas": True}),
        ("deltas.arrows", ipc.new_stream, grow, {"emit_dictionary_deltas": True}),
        ("others.arrows", ipc.new_stream, (("a", "b"), ("c", "d"), ("e",)), {}),
    ]:
        path = write(tmp_path / name, new, (4, 4, 4), words, **options)
        output = annotate(path, tmp_path / f"out_{name}")
        before, after = (
            [value for batch, _ in batches_of(file) for value in batch["word"].to_pylist()]
            for file in (path, output)
        )
        assert after == before
        is_stream = output.suffix == ".arrows"
        assert open_catalog(output)._messages.has_deltas == (is_stream and bool(options))


def test_old_metadata_and_those_of_a_file(tmp_path):
    path = tmp_path / "in.arrow"
    schema = pa.schema({"ra": pa.float64(), "dec": pa.float64()})
    options = ipc.IpcWriteOptions(metadata_version=ipc.MetadataVersion.V4)
    with ipc.new_file(str(path), schema, options=options, metadata={b"k": b"v"}) as writer:
        writer.write_table(pa.table({"ra": [1.0, 2.0], "dec": [3.0, 4.0]}))
    output = annotate(path, tmp_path / "out.arrow")
    assert open_catalog(output)._messages.version == ipc.MetadataVersion.V4
    assert dict(reader_of(output).metadata) == {b"k": b"v"}


def test_other_readers(tmp_path):
    table = pa.table({"ra": [1.0, 2.0, 3.0], "dec": [4.0, 5.0, 6.0], "n": ["a", None, "c"]})
    feather.write_feather(table, tmp_path / "in.feather")
    output = annotate(tmp_path / "in.feather", tmp_path / "out.feather")
    expected = [None, pytest.approx(0.1), pytest.approx(0.2)]
    assert feather.read_table(output)["p_lsbg"].to_pylist() == expected
    assert pl.read_ipc(output)["p_lsbg"].to_list() == expected
    categories = pl.Series(["u", "v", "u"], dtype=pl.Enum(["u", "v"]))
    polars_table = pl.from_arrow(table).with_columns(word=categories)
    for compression in ("uncompressed", "lz4", "zstd"):  # polars writes no schema but in the footer
        polars_table.write_ipc(tmp_path / "polars.arrow", compression=compression)
        found = annotate(tmp_path / "polars.arrow", tmp_path / f"{compression}.arrow")
        assert pl.read_ipc(found).select(polars_table.columns).equals(polars_table)
        written = open_catalog(found)._messages.compression
        assert written == (None if compression == "uncompressed" else compression)
    frame = pd.read_feather(output)
    assert np.isnan(frame["p_lsbg"][0]) and frame["flags_lsbg"].tolist() == [0, 1, 2]
    frame = pd.DataFrame({"ra": [1.0], "dec": [2.0]}, index=pd.Index([1], name="number"))
    frame.reset_index().to_feather(tmp_path / "pandas.feather")
    output = annotate(tmp_path / "pandas.feather", tmp_path / "pandas_out.feather")
    assert list(pd.read_feather(output).columns) == ["number", "ra", "dec", "p_lsbg", "flags_lsbg"]
    pl.from_arrow(table).write_ipc_stream(tmp_path / "in.arrows")
    output = annotate(tmp_path / "in.arrows", tmp_path / "out.arrows")
    assert pl.read_ipc_stream(output)["p_lsbg"].to_list() == expected


@pytest.mark.parametrize("size", [6, 8, 9, 40, 0.3, 0.6, 0.9, 0.99])
def test_files_cut_short(kind, tmp_path, size):
    name, new = KINDS[kind]
    path = write(tmp_path / name, new, compression="lz4")
    content = path.read_bytes()
    path.write_bytes(content[: int(size * len(content)) if size < 1 else size])
    if kind == "arrow-stream" and size == 0.99:
        assert not open_catalog(write(tmp_path / "whole.arrows", new)).warnings
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        catalog = open_catalog(path)
        catalog.read_positions(0, catalog.row_count)


def test_a_stream_without_an_end(tmp_path):
    path = write(tmp_path / "in.arrows", ipc.new_stream)
    assert open_catalog(path).warnings == ()
    path.write_bytes(path.read_bytes().removesuffix(b"\xff\xff\xff\xff\0\0\0\0"))
    assert "may be cut short" in open_catalog(path).warnings[0]


@pytest.mark.slow
def test_damaged_bytes_are_told_in_one_line(kind, tmp_path):
    name, new = KINDS[kind]
    content = bytearray(write(tmp_path / name, new, compression="zstd").read_bytes())
    rng = np.random.default_rng(4)
    for place in rng.integers(8, len(content), 60).tolist():
        damaged = content.copy()
        damaged[place] ^= 0xFF
        (tmp_path / f"bad_{name}").write_bytes(damaged)
        try:
            catalog = open_catalog(tmp_path / f"bad_{name}")
            catalog.read_positions(0, catalog.row_count)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.slow
def test_each_damaged_byte_is_told_in_one_line(kind, tmp_path):
    """What says where batches are, how large, and how compressed, is not believed blindly."""
    name, new = KINDS[kind]
    batch = pa.RecordBatch.from_pydict({"ra": [1.0, 2.0], "dec": [3.0, 4.0]})
    options = ipc.IpcWriteOptions(compression="zstd")
    with new(str(tmp_path / name), batch.schema, options=options) as writer:
        writer.write_batch(batch)
    content, opener = (tmp_path / name).read_bytes(), format_named(kind).load()
    refused = 0
    for place in range(8, len(content)):
        (tmp_path / name).write_bytes(
            content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        )
        try:
            catalog = opener(tmp_path / name)
            catalog.read_positions(0, min(catalog.row_count, 10))
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 100


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Never more than two batches, the old and the new one, are in memory; there are twenty."""
    schema = pa.schema({name: pa.float64() for name in ("ra", "dec", "a", "b", "c", "d")})
    path, rows = tmp_path / "in.arrow", 20_000
    column = pa.array(np.random.default_rng(1).uniform(0, 90, rows))
    batch = pa.RecordBatch.from_arrays([column] * 6, schema=schema)
    with ipc.new_file(str(path), schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
        for _ in range(20):
            writer.write_batch(batch)
    catalog, used = open_catalog(path), []
    before = pa.total_allocated_bytes()

    def values(start, stop):
        used.append(pa.total_allocated_bytes() - before)
        return values_for(start, stop)

    catalog.write_annotated(tmp_path / "out.arrow", lsbg_columns(schema.names), values, {})
    assert len(used) == 20 and max(used) < 2.5 * batch.nbytes
    assert open_catalog(tmp_path / "out.arrow")._messages.rows == (rows,) * 20


def test_names_and_old_files(tmp_path):
    for name in ("a.arrow", "a.feather", "a.ipc"):
        check_name(format_named("arrow"), "in.arrow", tmp_path / name)
    with pytest.raises(InputError, match=r"does not say so; name it \.arrow"):
        check_name(format_named("arrow"), "in.arrow", tmp_path / "a.parquet")
    (tmp_path / "in.feather").write_bytes(b"FEA1" + bytes(40))
    with pytest.raises(InputError, match=r"Feather version 1, .*write_feather"):
        open_catalog(tmp_path / "in.feather")
    doubled = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["ra", "dec", "dec"])
    feather.write_feather(doubled, tmp_path / "doubled.arrow")
    with pytest.raises(InputError, match="several columns are called dec; rename them"):
        open_catalog(tmp_path / "doubled.arrow")
    with pytest.raises(InputError, match="--table is for files with several tables"):
        open_catalog(write(tmp_path / "in.arrow", ipc.new_file), table="1")
