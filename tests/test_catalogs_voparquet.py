"""Parquet that says what its columns are in a VOTable without data: VOParquet 1.0."""

import io
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import votable
from astropy.table import Table

from catalogs import lsbg_columns, open_catalog

VERSION, CONTENT = b"IVOA.VOTable-Parquet.version", b"IVOA.VOTable-Parquet.content"
NOTES = {"ra": {"unit": "deg", "ucd": "pos.eq.ra;meta.main", "description": "where <J2000> & so"}}


def values_for(start, stop):
    rows = np.arange(start, stop)
    return np.where(rows % 3 == 1, np.nan, rows / 10).astype("f4"), rows.astype("i2")


def annotate(path, output, vo_metadata=True, overwrite_columns=False):
    catalog = open_catalog(path)
    catalog.write_annotated(
        output,
        lsbg_columns(catalog.column_names),
        values_for,
        {"weights": "w"},
        overwrite_columns=overwrite_columns,
        vo_metadata=vo_metadata,
    )
    return output


def a_table(rows=5):
    table = pa.table(
        {
            "ra": np.arange(rows) * 1.0,
            "dec": np.arange(rows) * 1.0,
            "id": pa.array([None, *range(1, rows)], pa.int64()),
            "small": pa.array(range(rows), pa.uint8()),
            "name": ["é" * i for i in range(rows)],
            "band": pa.array(["g", None, "r", "g", "zz"]).dictionary_encode(),
            "ok": [True] * rows,
            "mag": pa.array(range(rows), pa.float32()),
        }
    )
    fields = [field.with_metadata(NOTES.get(field.name, {})) for field in table.schema]
    return table.cast(pa.schema(fields, {"survey": "a test"}))


def content(path):
    metadata = pq.read_schema(path).metadata
    assert metadata[VERSION] == b"1.0"
    with warnings.catch_warnings(action="error"):
        return votable.parse(io.BytesIO(metadata[CONTENT])).get_first_table()


@pytest.fixture
def path(tmp_path):
    pq.write_table(a_table(), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def test_a_field_for_every_column(path, tmp_path):
    output = annotate(path, tmp_path / "out.parquet")
    fields = content(output).fields
    assert [field.name for field in fields] == pq.read_schema(output).names
    assert [(field.datatype, field.arraysize) for field in fields] == [
        ("double", None),
        ("double", None),
        ("long", None),
        ("unsignedByte", None),
        ("unicodeChar", "4*"),
        ("unicodeChar", "2*"),
        ("boolean", None),
        ("float", None),
        ("float", None),
        ("short", None),
    ]
    assert str(fields[0].unit) == "deg"
    assert fields[0].ucd == "pos.eq.ra;meta.main"
    assert fields[0].description == "where <J2000> & so"
    assert [field.ucd for field in fields[-2:]] == ["stat.probability;src.class", "meta.code.qual"]


@pytest.mark.filterwarnings("ignore:No table:astropy.utils.exceptions.AstropyUserWarning")
def test_astropy_reads_it(path, tmp_path):
    pq.write_table(a_table().drop_columns("band"), path)  # astropy reads no dictionaries
    output = annotate(path, tmp_path / "out.parquet")
    table = Table.read(output, format="parquet.votable")
    assert table["ra"].unit == "deg"
    assert table["p_lsbg"].description.startswith("probability of being")
    np.testing.assert_array_equal(table["flags_lsbg"], np.arange(5))
    np.testing.assert_array_equal(table["p_lsbg"].filled(np.nan), values_for(0, 5)[0])
    assert table["name"].tolist() == ["é" * i for i in range(5)]


def test_only_on_request(path, tmp_path):
    metadata = pq.read_schema(annotate(path, tmp_path / "out.parquet", False)).metadata
    assert not {VERSION, CONTENT} & set(metadata)


def test_what_is_there_learns_the_new_columns(path, tmp_path):
    text = (
        b'<VOTABLE version="1.4"><RESOURCE><COOSYS ID="s" system="ICRS"/><TABLE name="mine">\n'
        b'  <FIELD name="ra" datatype="double" ref="s"/>\n  <FIELD name="dec" datatype="double"/>\n'
        b"</TABLE></RESOURCE></VOTABLE>"
    )
    table = a_table().select(["ra", "dec"])
    pq.write_table(table.replace_schema_metadata({VERSION: b"1.0", CONTENT: text}), path)
    once = annotate(path, tmp_path / "once.parquet", vo_metadata=False)
    found = content(once)
    assert (found.name, found.fields[0].ref) == ("mine", "s")
    assert [field.name for field in found.fields] == pq.read_schema(once).names
    twice = annotate(once, tmp_path / "twice.parquet", overwrite_columns=True)
    assert pq.read_schema(twice).metadata[CONTENT] == pq.read_schema(once).metadata[CONTENT]


@pytest.mark.parametrize("text", [b"", b"<VOTABLE/>", b"\xff\xfe", b"<a><TABLE></a>"])
def test_what_cannot_be_read_stays(text, path, tmp_path):
    pq.write_table(a_table().replace_schema_metadata({CONTENT: text}), path)
    metadata = pq.read_schema(annotate(path, tmp_path / "out.parquet", False)).metadata
    assert metadata[CONTENT] == text


def test_nested_columns_are_told_of(tmp_path):
    table = pa.table(
        {
            "ra": [1.0],
            "dec": [2.0],
            "list": pa.array([[1.0, 2.0]]),
            "fixed": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)),
            "struct": pa.array([{"a": 1}]),
            "when": pa.array([0], pa.timestamp("ms")),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    fields = content(annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")).fields
    assert [(field.datatype, field.arraysize) for field in fields[2:6]] == [
        ("double", "*"),
        ("float", "2"),
        ("unicodeChar", "*"),
        ("unicodeChar", "*"),
    ]


def test_in_every_file_of_a_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(a_table(), folder / "a.parquet")
    pq.write_table(a_table().slice(0, 2), folder / "b.parquet")
    output = annotate(folder, tmp_path / "out")
    texts = {pq.read_schema(file).metadata[CONTENT] for file in output.iterdir()}
    assert len(texts) == 1


def test_the_command_refuses_it_for_fits(lsbg, survey, tmp_path):
    code, _, err = lsbg(
        "classify", survey.candidates, tmp_path / "out.fits",
        "--cutouts", f"tiles:{survey.tiles}", "--vo-metadata", "--dry-run",
    )  # fmt: skip
    assert code == 1
    assert "--vo-metadata is for Parquet, not fits" in err
