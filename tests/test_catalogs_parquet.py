"""Parquet in, Parquet out: the same values, schema and metadata, and our columns last."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from older import write_if_possible

from catalogs import InputError, lsbg_columns, open_catalog

PROVENANCE = {"weights": "des-simulated", "weights_sha256": "0" * 64, "source": "tiles:x"}
OURS = ["p_lsbg", "flags_lsbg"]


def values_for(start, stop):
    rows = np.arange(start, stop)
    probability = np.where(rows % 5 == 4, np.nan, rows / 1e6).astype(np.float32)
    return probability, (rows % 128).astype(np.int16)


def annotate(path, output, overwrite_columns=False, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(
        output, columns, values_for, PROVENANCE, overwrite_columns=overwrite_columns
    )
    return output


def all_types(rows=10):
    rng = np.random.default_rng(1)
    moment = datetime.datetime(2026, 1, 1, 12, 0, 0, 123456)
    columns = {
        "ra": pa.array([None if i == 3 else i * 1.5 for i in range(rows)], pa.float64()),
        "dec": pa.array(rng.uniform(-9, 9, rows)),
        "count": pa.array([None if i % 3 else i for i in range(rows)], pa.int64()),
        "small": pa.array(range(rows), pa.uint8()),
        "flag": pa.array([None, True] * (rows // 2), pa.bool_()),
        "half": pa.array(np.arange(rows, dtype=np.float16)),
        "list": pa.array([None if i == 1 else [i, None] for i in range(rows)]),
        "fixed": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
        "struct": pa.array([{"a": i, "b": {"c": [str(i)]}} for i in range(rows)]),
        "map": pa.array([[("k", i)] for i in range(rows)], pa.map_(pa.string(), pa.int32())),
        "band": pa.array(["g", "r"] * (rows // 2)).dictionary_encode(),
        "price": pa.array([decimal.Decimal(f"{i}.123") for i in range(rows)], pa.decimal128(12, 3)),
        "ns": pa.array([moment] * rows, pa.timestamp("ns")),
        "utc": pa.array([moment] * rows, pa.timestamp("us", tz="UTC")),
        "day": pa.array([moment.date()] * rows),
        "took": pa.array([datetime.timedelta(seconds=i) for i in range(rows)]),
        "blob": pa.array([b"\0\xff"] * rows),
        "large": pa.array(["x" * i for i in range(rows)], pa.large_string()),
        "nothing": pa.nulls(rows),
    }
    table = pa.table(columns)
    fields = [
        field.with_metadata({"unit": "deg", "description": "where"})
        if field.name == "ra"
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields, {"survey": "a test", "pandas": "{}"}))


def same(before, after):
    """The old columns of `after` are those of `before`, to the metadata."""
    old = after.select(before.schema.names)
    assert old.schema.equals(before.schema, check_metadata=False)
    for name in before.schema.names:
        assert before.schema.field(name).equals(after.schema.field(name), check_metadata=True)
    for key, value in (before.schema.metadata or {}).items():
        assert after.schema.metadata[key] == value
    assert old.equals(before)


def test_everything_else_survives(tmp_path):
    table = all_types()
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=4, compression="zstd")
    output = annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")
    before, after = pq.read_table(tmp_path / "in.parquet"), pq.read_table(output)
    same(before, after)
    assert after.schema.names == table.schema.names + OURS
    meta = pq.ParquetFile(output).metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [4, 4, 2]
    assert meta.row_group(0).column(0).compression == "ZSTD"


def test_our_columns(tmp_path):
    pq.write_table(all_types(), tmp_path / "in.parquet")
    after = pq.read_table(annotate(tmp_path / "in.parquet", tmp_path / "out.parquet"))
    probability, flags = values_for(0, 10)
    expected = [None if np.isnan(p) else float(p) for p in probability]
    assert after["p_lsbg"].to_pylist() == expected
    assert after["flags_lsbg"].to_pylist() == flags.tolist()
    fields = [after.schema.field(name) for name in OURS]
    assert [field.type for field in fields] == [pa.float32(), pa.int16()]
    assert [field.nullable for field in fields] == [True, False]
    assert fields[0].metadata[b"ucd"] == b"stat.probability;src.class"
    assert fields[1].metadata[b"description"].startswith(b"flags")
    assert after.schema.metadata[b"lsbg.weights"] == b"des-simulated"


def test_folder(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep=1").mkdir(parents=True)
    table = all_types()
    pq.write_table(table.slice(0, 3), folder / "b.parquet")
    pq.write_table(table.slice(3, 0), folder / "c.parquet")
    pq.write_table(table.slice(3), folder / "deep=1" / "a.parquet")
    (folder / "README").write_text("keep me")
    (folder / "_metadata").write_text("stale")
    output = annotate(folder, tmp_path / "out")
    names = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert names == ["README", "b.parquet", "c.parquet", "deep=1/a.parquet"]
    parts = [pq.ParquetFile(output / name).read() for name in names[1:]]
    for name, part in zip(names[1:], parts, strict=True):
        same(pq.ParquetFile(folder / name).read(), part)
    flags = np.concatenate([part["flags_lsbg"].to_numpy() for part in parts])
    assert flags.tolist() == list(range(10))


def test_positions(tmp_path):
    table = all_types()
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=3)
    catalog = open_catalog(tmp_path / "in.parquet")
    assert catalog.position_columns.unit == "deg"
    expected = np.stack([table["ra"].to_numpy(), table["dec"].to_numpy()], axis=1)
    expected[np.isnan(expected).any(axis=1)] = np.nan  # half a position is none
    for start, stop in [(0, 10), (0, 4), (4, 8), (8, 10), (5, 7), (0, 1), (10, 10)]:
        np.testing.assert_array_equal(catalog.read_positions(start, stop), expected[start:stop])


def test_overwriting_columns(tmp_path):
    pq.write_table(all_types(), tmp_path / "in.parquet")
    once = annotate(tmp_path / "in.parquet", tmp_path / "once.parquet")
    with pytest.raises(InputError, match="overwrite-columns"):
        annotate(once, tmp_path / "twice.parquet")
    twice = annotate(once, tmp_path / "twice.parquet", overwrite_columns=True)
    assert once.read_bytes() == twice.read_bytes()


def test_no_rows(tmp_path):
    pq.write_table(all_types().slice(0, 0), tmp_path / "in.parquet")
    after = pq.read_table(annotate(tmp_path / "in.parquet", tmp_path / "out.parquet"))
    assert after.num_rows == 0 and after.schema.names[-2:] == OURS


def test_bad_input(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no FITS tables or Parquet files"):
        open_catalog(tmp_path / "empty")
    pq.write_table(all_types(), tmp_path / "in.parquet")
    content = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"cut\.parquet: not a readable Parquet") as caught:
        open_catalog(tmp_path / "cut.parquet")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="--table"):
        open_catalog(tmp_path / "in.parquet", table="1")
    (tmp_path / "empty" / "a.parquet").write_bytes(content)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "empty" / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: no position column"):
        open_catalog(tmp_path / "empty")


def test_failure_leaves_nothing(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(all_types(), folder / "a.parquet")

    def fail(start, stop):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        open_catalog(folder).write_annotated(tmp_path / "out", lsbg_columns(()), fail, PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def positions(ra, dec, names=("ra", "dec"), unit=None, kind=None):
    """A table with a position in each row, and the unit in the fields' metadata."""
    notes = {"unit": unit} if unit else None
    fields = [pa.field(name, kind or pa.float64(), metadata=notes) for name in names]
    return pa.table([pa.array(ra), pa.array(dec)], names).cast(pa.schema(fields))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"unit": "deg"}, {"unit": "rad"}, r"in rad, but .*a\.parquet has ra and dec in deg"),
        ({}, {"unit": "rad"}, "in rad, but"),
        ({}, {"names": ("RA", "DEC")}, "has RA and DEC in deg, but"),
        ({"unit": "deg"}, {}, "has ra and dec in deg, which nothing states, but .* in deg; make"),
        (
            {"unit": "deg"},
            {"kind": pa.string(), "unit": "deg"},
            r"as text \(ra and dec\) in deg, but",
        ),
    ],
)
def test_parts_that_differ_are_refused(folder, first, second, message):
    pq.write_table(positions([30.0], [-20.0], **first), folder / "a.parquet")
    pq.write_table(positions([0.5], [-0.3], **second), folder / "b.parquet")
    with pytest.raises(InputError, match=rf"b\.parquet: .*{message}"):
        open_catalog(folder)


def test_parts_with_two_spellings_of_a_unit_are_alike(folder):
    pq.write_table(positions([30.0], [-20.0], unit="deg"), folder / "a.parquet")
    pq.write_table(positions([31.0], [-21.0], unit="degrees"), folder / "b.parquet")
    assert open_catalog(folder).read_positions(0, 2).tolist() == [[30, -20], [31, -21]]


def test_every_part_could_be_radians(folder):
    names = ("coord_ra", "coord_dec")
    pq.write_table(positions([30.0] * 3, [-20.0] * 3, names), folder / "a.parquet")
    pq.write_table(positions([0.5] * 3, [-0.3] * 3, names), folder / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet.*--position-unit rad"):
        open_catalog(folder)
    assert open_catalog(folder, position_unit="deg").read_positions(5, 6).tolist() == [[0.5, -0.3]]


def test_units_that_astropy_wrote(tmp_path):
    Table({"RA": [1.0, 2.0] * u.rad, "DEC": [0.5, 0.6] * u.rad}).write(tmp_path / "in.parquet")
    catalog = open_catalog(tmp_path / "in.parquet")
    assert catalog.position_columns.unit == "rad"
    np.testing.assert_allclose(catalog.read_positions(0, 1), np.degrees([[1.0, 0.5]]))
    output = annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert open_catalog(output).position_columns.unit == "rad"


@pytest.mark.parametrize(
    "header", ["", "{", "datatype: 3", "datatype: [3, {unit: rad}]", "!!python/name:os.system", "a"]
)
def test_damaged_units_of_astropy_are_ignored(tmp_path, header):
    table = positions([30.0], [-20.0]).replace_schema_metadata({"table_meta_yaml": header})
    pq.write_table(table, tmp_path / "in.parquet")
    assert open_catalog(tmp_path / "in.parquet").position_columns.unit == "deg"


def test_links_and_upper_case_suffixes_are_parts(folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    for i, path in enumerate([folder / "C.PARQUET", folder / "a.parquet", elsewhere / "b.pq"]):
        pq.write_table(positions([float(i)], [0.0]), path)
    (folder / "tract=1").symlink_to(elsewhere)
    (folder / "tract=2").symlink_to(elsewhere)
    output = annotate(folder, folder.parent / "out")
    flags = {
        str(path.relative_to(output)): pq.ParquetFile(path).read()["flags_lsbg"].to_pylist()
        for path in output.rglob("*")
        if path.is_file()
    }
    expected = {"C.PARQUET": [0], "a.parquet": [1], "tract=1/b.pq": [2], "tract=2/b.pq": [3]}
    assert flags == expected


@pytest.mark.parametrize(
    ("link", "target", "message"),
    [
        ("README", "nowhere", "link to nothing"),
        ("_hidden", "nowhere", "link to nothing"),
        ("b.parquet", "nowhere", "link to nothing"),
        ("again", ".", "a folder that it lies in"),
        ("deep/up", "..", "a folder that it lies in"),
        ("above", "../..", "a folder that it lies in"),
    ],
)
def test_links_that_cannot_be_copied_are_refused_at_once(folder, link, target, message):
    pq.write_table(positions([1.0], [2.0]), folder / "a.parquet")
    (folder / "deep").mkdir()
    (folder / link).symlink_to(target)
    with pytest.raises(InputError, match=message):
        open_catalog(folder)


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([[1.0], [2.0], [3], [4]], names=["ra", "dec", "x", "x"])
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(InputError, match="2 columns are called x; rename"):
        open_catalog(tmp_path / "in.parquet")


def test_our_columns_in_a_later_part_are_refused_before_scoring(folder):
    table = positions([1.0], [2.0])
    pq.write_table(table, folder / "a.parquet")
    pq.write_table(table.append_column("p_lsbg", [[0.5]]), folder / "b.parquet")
    catalog = open_catalog(folder)
    columns = lsbg_columns(catalog.column_names)
    with pytest.raises(InputError, match=r"b\.parquet.*--overwrite-columns"):
        catalog.check_annotated(columns)
    catalog.check_annotated(columns, overwrite_columns=True)


def test_columns_that_are_read(tmp_path):
    table = positions([1.0, 2.0, 3.0], [0.0] * 3)
    table = table.append_column("label", pa.array([True, False, None]))
    pq.write_table(table.append_column("name", [["1", "b", "c"]]), tmp_path / "in.parquet")
    catalog = open_catalog(tmp_path / "in.parquet")
    np.testing.assert_array_equal(catalog.read_column("label", 0, 3), [1, 0, np.nan])
    with pytest.raises(InputError, match="name is not one real number a row"):
        catalog.read_column("name", 0, 3)
    with pytest.raises(InputError, match="no column other"):
        catalog.read_column("other", 0, 3)


def test_the_order_of_rows_stays_declared(tmp_path):
    table = positions([1.0, 2.0], [3.0, 4.0]).add_column(0, "p_lsbg", [[0.1, 0.2]])
    order = [pq.SortingColumn(1, descending=True), pq.SortingColumn(0), pq.SortingColumn(2)]
    pq.write_table(table, tmp_path / "in.parquet", sorting_columns=order)
    output = annotate(tmp_path / "in.parquet", tmp_path / "out.parquet", overwrite_columns=True)
    declared = pq.ParquetFile(output).metadata.row_group(0).sorting_columns
    assert declared == (pq.SortingColumn(0, descending=True),)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(0, 60),
    group=st.integers(1, 25),
    kinds=st.lists(st.sampled_from(["int", "text", "list", "dictionary", "bool"]), max_size=5),
    seed=st.integers(0, 999),
)
def test_any_table(tmp_path_factory, rows, group, kinds, seed):
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    numbers = [None if rng.random() < 0.3 else int(rng.integers(0, 4)) for _ in range(rows)]
    makers = {
        "int": lambda: pa.array(numbers, pa.int32()),
        "text": lambda: pa.array([None if n is None else "t" * n for n in numbers], pa.string()),
        "list": lambda: pa.array(
            [None if n is None else [n] * n for n in numbers], pa.list_(pa.int8())
        ),
        "dictionary": lambda: pa.array([str(n) for n in numbers], pa.string()).dictionary_encode(),
        "bool": lambda: pa.array([None if n is None else n > 1 for n in numbers], pa.bool_()),
    }
    columns = {f"c{i}": makers[kind]() for i, kind in enumerate(kinds)}
    table = pa.table({"ra": rng.uniform(0, 9, rows), **columns, "dec": rng.uniform(0, 9, rows)})
    pq.write_table(table, folder / "in.parquet", row_group_size=group)
    after = pq.read_table(annotate(folder / "in.parquet", folder / "out.parquet"))
    same(pq.read_table(folder / "in.parquet"), after)
    assert after["flags_lsbg"].to_pylist() == list(range(rows))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data(), group=st.sampled_from([7, 40, 1000]))
def test_columns_are_read_in_any_order_and_side_by_side(tmp_path_factory, data, group):
    folder = tmp_path_factory.mktemp("parts")
    columns = {name: np.random.default_rng(n).random(200) for n, name in enumerate("abc")}
    columns["a"][::9] = np.nan
    table = pa.table({name: pa.array(v, from_pandas=True) for name, v in columns.items()})
    table = table.append_column("ra", pa.array(columns["b"])).append_column("dec", table["c"])
    for part, (start, stop) in enumerate([(0, 90), (90, 90), (90, 200)]):
        pq.write_table(table.slice(start, stop - start), folder / f"{part}.parquet", group)
    catalog = open_catalog(folder)
    wanted = st.lists(st.sampled_from("abc"), max_size=3, unique=True)
    for names in data.draw(st.lists(wanted, max_size=6)):
        start = data.draw(st.integers(0, 200))
        stop = data.draw(st.integers(start, 200))
        found = catalog.read_columns(names, start, stop)
        assert len(found) == len(names)
        for name, values in zip(names, found, strict=True):
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values, columns[name][start:stop])


def test_several_columns_in_order_are_read_once(tmp_path):
    """The position and other columns, block by block: no row group is decoded again."""
    rows = 100_000
    values = np.arange(rows) % 80.0
    columns = {name: values + n for n, name in enumerate(["ra", "dec", "a", "b"])}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet", row_group_size=rows)
    catalog = open_catalog(tmp_path / "in.parquet")
    first = None
    for start in range(0, rows, 1000):
        a, b = catalog.read_columns(["a", "b"], start, start + 1000)
        positions = catalog.read_positions(start, start + 1000)
        first = first or dict(catalog._readers)
        assert catalog._readers.items() <= first.items() and len(first) == 2
        np.testing.assert_array_equal(a, values[start : start + 1000] + 2)
        np.testing.assert_array_equal(b, a + 1)
        np.testing.assert_array_equal(positions[:, 1], a - 1)
    assert not catalog._readers  # they would hold row groups in memory


def test_row_groups_that_are_large_in_memory_are_written_as_several(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogs._parquet_write._MOST_BYTES", 1 << 20)
    rows = 200_000
    columns = {name: np.random.default_rng(3).random(rows) for name in ("ra", "dec", "x")}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet", row_group_size=rows)
    output = annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")
    same(pq.read_table(tmp_path / "in.parquet"), pq.read_table(output))
    meta = pq.ParquetFile(output).metadata
    sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    assert len(sizes) > 2 and sum(sizes) == rows
    probability, flags = values_for(0, rows)
    np.testing.assert_array_equal(pq.read_table(output)["flags_lsbg"].to_numpy(), flags)
    np.testing.assert_array_equal(pq.read_table(output)["p_lsbg"].to_numpy(), probability)


def test_page_indexes_and_int96_are_kept(tmp_path):
    when = pa.array([1_600_000_000_000_000_000, None], pa.timestamp("ns"))
    table = pa.table({"ra": [1.0, 2.0], "dec": [3.0, 4.0], "when": when})
    for page_index, old_dates in ((True, True), (False, False)):
        path, output = tmp_path / f"{page_index}.parquet", tmp_path / f"out{page_index}.parquet"
        options = {"use_deprecated_int96_timestamps": old_dates, "write_page_index": page_index}
        pq.write_table(table, path, **options)
        annotate(path, output)
        chunks = pq.read_metadata(output).row_group(0)
        assert all(chunks.column(n).has_column_index is page_index for n in (0, 1, 3, 4))
        assert all(chunks.column(n).has_offset_index is page_index for n in range(5))
        assert chunks.column(2).physical_type == ("INT96" if old_dates else "INT64")
        assert pq.read_table(output)["when"].to_pylist() == table["when"].to_pylist()


def test_string_view_is_text(tmp_path):
    tile = pa.array(["DES0208-4000", None, "a"], pa.string_view())
    table = pa.table({"ra": [1.0, 2.0, 3.0], "dec": [3.0, 4.0, 5.0], "tile": tile})
    write_if_possible(table, tmp_path / "in.parquet")
    output = annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")
    catalog = open_catalog(output)
    detail = next(d for d in catalog.describe_columns() if d.name == "tile")
    assert detail.kind == "text"
    found = catalog.exact_values(detail, np.array([0, 1, 2]))
    assert found == tile.to_pylist()
    assert pq.read_schema(output).field("tile").type == pa.string_view()
