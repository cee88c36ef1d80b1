"""Columns as they are, whatever their type, and where our columns came from."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs import lsbg_columns, open_catalog
from catalogs.details import describe_columns, read_values

LARGE = 2**62 + 1
RA, DEC = [10.0, 20.0, 30.0], [-5.0, 0.0, 5.0]


@pytest.fixture
def table(tmp_path):
    """A FITS table of all kinds of columns."""
    columns = [
        fits.Column("RA", "D", unit="deg", array=RA),
        fits.Column("DEC", "D", unit="deg", array=DEC),
        fits.Column("ID", "K", array=[LARGE, -1, 7]),
        fits.Column("BIG", "K", bzero=2**63, array=np.array([2**63 + 5, 0, 1], np.uint64)),
        fits.Column("FEW", "I", null=-99, array=[1, -99, 3]),
        fits.Column("SCALED", "I", array=[2, 5, 0]),
        fits.Column("MAG", "E", unit="mag", array=[21.5, np.nan, 23.0]),
        fits.Column("NAME", "6A", array=np.array([b"one", b"", b"a\xa0b"])),
        fits.Column("GOOD", "L", array=[True, False, True]),
        fits.Column("VECTOR", "3E", array=np.zeros((3, 3))),
        fits.Column("TWICE", "J", array=[1, 2, 3]),
        fits.Column("TWIN", "J", array=[1, 2, 3]),
    ]
    path = tmp_path / "table.fits"
    fits.BinTableHDU.from_columns(columns).writeto(path)
    fits.setval(path, "TSCAL6", value=0.5, ext=1)
    fits.setval(path, "TZERO6", value=10.0, ext=1)
    path.write_bytes(path.read_bytes().replace(b"'TWIN    '", b"'TWICE   '"))
    return open_catalog(path)


def by_name(catalog):
    return {detail.name: detail for detail in describe_columns(catalog)}


def test_the_kinds_of_fits_columns(table):
    kinds = {name: detail.kind for name, detail in by_name(table).items()}
    assert kinds == {
        "RA": "number", "DEC": "number", "ID": "integer", "BIG": "integer", "FEW": "integer",
        "SCALED": "number", "MAG": "number", "NAME": "text", "GOOD": "logical",
    }  # fmt: skip
    assert by_name(table)["MAG"].unit == "mag"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ID", [7, LARGE]),
        ("BIG", [1, 2**63 + 5]),
        ("FEW", [3, 1]),
        ("SCALED", [10.0, 11.0]),
        ("MAG", [23.0, 21.5]),
        ("NAME", ["a\ufffdb", "one"]),
        ("GOOD", [1.0, 1.0]),
    ],
)
def test_fits_values_of_any_rows(table, name, expected):
    assert read_values(table, by_name(table)[name], np.array([2, 0])).tolist() == expected


def test_missing_values_of_fits(table):
    details = by_name(table)
    row = np.array([1])
    assert read_values(table, details["FEW"], row).tolist() == [None]
    assert np.isnan(read_values(table, details["MAG"], row)).all()


@pytest.fixture
def folder(tmp_path):
    """Two Parquet files with columns of many types, nulls among them."""
    (tmp_path / "folder").mkdir()
    for number, (ra, ids) in enumerate((([1.0, 2.0], [LARGE, None]), ([3.0], [4]))):
        count = len(ra)
        columns = {
            "ra": pa.array(ra),
            "dec": pa.array([0.0] * count),
            "objectId": pa.array(ids, pa.int64()),
            "r": pa.array([20.25] * (count - 1) + [None], pa.float32()),
            "price": pa.array([decimal.Decimal("1.50")] * count),
            "name": pa.array(["x\u202ey"] * (count - 1) + [None]),
            "band": pa.array(["g"] * count).dictionary_encode(),
            "good": pa.array([True] * count),
            "list": pa.array([[1.0]] * count),
        }
        schema = pa.table(columns).schema
        where = schema.get_field_index("r")
        described = schema.field("r").with_metadata({"unit": "mag", "description": "magnitude"})
        table = pa.table(columns, schema=schema.set(where, described))
        pq.write_table(table, tmp_path / "folder" / f"{number}.parquet")
    return open_catalog(tmp_path / "folder")


def test_the_kinds_of_parquet_columns(folder):
    details = by_name(folder)
    assert {name: detail.kind for name, detail in details.items()} == {
        "ra": "number", "dec": "number", "objectId": "integer", "r": "number", "price": "number",
        "name": "text", "band": "text", "good": "logical",
    }  # fmt: skip
    assert (details["r"].unit, details["r"].description) == ("mag", "magnitude")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("objectId", [4, LARGE, None]),
        ("name", [None, "x\u202ey", None]),
        ("band", ["g", "g", "g"]),
        ("price", [1.5, 1.5, 1.5]),
        ("good", [1.0, 1.0, 1.0]),
    ],
)
def test_parquet_values_across_files(folder, name, expected):
    assert read_values(folder, by_name(folder)[name], np.array([2, 0, 1])).tolist() == expected


def test_no_rows(table, folder):
    for catalog in (table, folder):
        for detail in describe_columns(catalog):
            assert len(read_values(catalog, detail, np.empty(0, int))) == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 199_999), max_size=30))
def test_any_rows_of_a_catalog_of_several_blocks(rows, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "long.parquet"
    if not path.exists():
        n = np.arange(200_000)
        columns = {"ra": n / 1000, "dec": n / 5000, "id": n, "name": n.astype(str)}
        pq.write_table(pa.table(columns), path, row_group_size=70_000)
    catalog, rows = open_catalog(path), np.array(rows, int)
    details = by_name(catalog)
    assert read_values(catalog, details["id"], rows).tolist() == rows.tolist()
    assert read_values(catalog, details["name"], rows).tolist() == rows.astype(str).tolist()
    np.testing.assert_array_equal(read_values(catalog, details["ra"], rows), rows / 1000)


@pytest.mark.parametrize("catalog", ["table", "folder"])
def test_provenance_comes_back(catalog, request, tmp_path):
    catalog = request.getfixturevalue(catalog)
    assert catalog.provenance() == {}
    said = {
        "weights": "des-simulated",
        "weights_sha256": "a" * 64,
        "source": "tiles:" + "/long" * 40 + "/sky \u2606",
        "threshold": "0.25",
        "select": "MAG > 20 and NAME < 3",
    }
    output = tmp_path / f"annotated.{catalog.format}"
    values = np.zeros(catalog.row_count)
    catalog.write_annotated(
        output,
        lsbg_columns(catalog.column_names),
        lambda start, stop: (values[start:stop], values[start:stop]),
        said,
    )
    assert open_catalog(output).provenance() == said


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.VOWarning")
@pytest.mark.parametrize(
    ("name", "form"), [("a.ecsv", "ascii.ecsv"), ("a.vot", "votable"), ("b.fits", "fits")]
)
def test_other_formats_say_the_same(name, form, tmp_path):
    table = Table(
        {
            "RA": RA * u.deg,
            "DEC": DEC * u.deg,
            "ID": [LARGE, -1, 7],
            "MAG": np.float32([21.5, np.nan, 23.0]) * u.mag,
            "NAME": ["one", "two 2", "three, 3"],
            "GOOD": [True, False, True],
            "VECTOR": np.zeros((3, 2)),
        }
    )
    table.write(tmp_path / name, format=form)
    catalog = open_catalog(tmp_path / name)
    details = by_name(catalog)
    kinds = {name: detail.kind for name, detail in details.items()}
    assert kinds == {
        "RA": "number", "DEC": "number", "ID": "integer", "MAG": "number", "NAME": "text",
        "GOOD": "logical",
    }  # fmt: skip
    assert details["MAG"].unit == "mag"
    rows = np.array([2, 0])
    assert read_values(catalog, details["ID"], rows).tolist() == [7, LARGE]
    assert read_values(catalog, details["NAME"], rows).tolist() == ["three, 3", "one"]
    assert read_values(catalog, details["GOOD"], rows).tolist() == [1.0, 1.0]
    assert read_values(catalog, details["MAG"], rows).tolist() == [23.0, 21.5]
    assert catalog.provenance() == {}
