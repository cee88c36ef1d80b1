"""Tables that are unusual and yet met: what they are taken for, and what is said of them."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table
from older import write_if_possible

from catalogs import InputError, lsbg_columns, open_catalog, write_chosen
from catalogs.formats import check_name, recognise

RA, DEC = (31.5, 32.5, 33.5), (-40.5, -41.5, -42.5)


def csv_of(header, *rows):
    return "\n".join([header, *rows]).encode() + b"\n"


def file_with(tmp_path, content, name="in.csv"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        open_catalog(path, **options)
    return str(error.value)


def annotate(catalog, output):
    def values(start, stop):
        return np.full(stop - start, 0.5, np.float32), np.zeros(stop - start, np.int16)

    catalog.write_annotated(output, lsbg_columns(catalog.column_names, style="upper"), values, {})
    return output


@pytest.mark.parametrize("delimiter", [",", "\t", " "])
def test_a_file_without_header_shows_its_first_row(tmp_path, delimiter):
    rows = [
        delimiter.join(["7", f"{ra}", f"{dec}", *"123456"]) for ra, dec in zip(RA, DEC, strict=True)
    ]
    path = file_with(tmp_path, csv_of(*rows), "list.dat")
    message = refusal(path)
    assert "has no header" in message and "named col1, col2, ..." in message
    assert "--ra col2 --dec col3" in message
    assert "col1 = 7, col2 = 31.5, col3 = -40.5, col4 = 1" in message
    assert "col9 is the last" in message
    catalog = open_catalog(path, ra="col2", dec="col3")
    np.testing.assert_array_equal(catalog.read_positions(0, 3), np.transpose([RA, DEC]))


def test_comments_that_may_be_rows_are_counted(tmp_path):
    rows = ["#12,31.5,-40.5", "b,32.5,-41.5", "# one, two", "'x\n#y',33.5,-42.5"]
    path = file_with(tmp_path, csv_of("name,RA,DEC", *rows))
    catalog = open_catalog(path)
    assert catalog.row_count == 2
    assert len(catalog.warnings) == 1 and catalog.warnings[0].startswith("1 lines that begin")
    plain = file_with(tmp_path, csv_of("name,RA,DEC", "b,32.5,-41.5", "# one, two"), "plain.csv")
    assert not open_catalog(plain).warnings


def test_a_table_whose_rows_all_begin_with_a_mark_is_refused(tmp_path):
    path = file_with(tmp_path, csv_of("name,RA,DEC", "#12,31.5,-40.5", "#13,32.5,-41.5"))
    assert "all its rows begin with #" in refusal(path)


def test_names_in_single_quotes_alone(tmp_path):
    path = file_with(tmp_path, csv_of("'id','RA','DEC'", "1,31.5,-40.5", "2,32.5,-41.5"))
    output = annotate(open_catalog(path), tmp_path / "out.csv")
    assert output.read_bytes().startswith(b"'id','RA','DEC','P_LSBG','FLAGS_LSBG'\n")
    assert open_catalog(output).column_names == ("id", "RA", "DEC", "P_LSBG", "FLAGS_LSBG")


@pytest.mark.parametrize(
    ("names", "unit", "scale"),
    [
        (("RA (deg)", "DEC (deg)"), "deg", 1),
        (("ra[rad]", "dec[rad]"), "rad", np.pi / 180),
        (("RA (J2000)", "Dec (J2000)"), "deg", 1),
    ],
)
def test_names_with_brackets(tmp_path, names, unit, scale):
    rows = (f"1,{ra * scale!r},{dec * scale!r}" for ra, dec in zip(RA, DEC, strict=True))
    catalog = open_catalog(file_with(tmp_path, csv_of(f"id,{','.join(names)}", *rows)))
    found = catalog.position_columns
    assert (found.ra, found.dec, found.unit) == (*names, unit)
    np.testing.assert_allclose(catalog.read_positions(0, 3), np.transpose([RA, DEC]), rtol=1e-12)


def test_names_without_brackets_come_first(tmp_path):
    path = file_with(tmp_path, csv_of("RA (J2000),DEC (J2000),RA,DEC", "1,2,31.5,-40.5"))
    assert open_catalog(path).position_columns.ra == "RA"


def test_hours_as_astropy_writes_them(tmp_path):
    table = Table({"RA": np.array(RA) / 15 * u.hourangle, "DEC": DEC * u.deg})
    table.write(tmp_path / "hours.vot", format="votable")
    catalog = open_catalog(tmp_path / "hours.vot")
    assert catalog.position_columns.unit == "hourangle and deg"
    np.testing.assert_allclose(catalog.read_positions(0, 3), np.transpose([RA, DEC]), rtol=1e-12)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "c"], pa.string_view()),
        pa.array([b"a", None, b""], pa.binary_view()),
        pa.array([[1.5], None, []], pa.list_view(pa.float64())),
        pa.array([[1], [], [2, 3]], pa.large_list_view(pa.int32())),
        pa.array([["a"], None, ["b", "c"]], pa.list_(pa.string_view())),
        pa.array([{"x": "a"}, None, {"x": "c"}], pa.struct({"x": pa.string_view()})),
    ],
    ids=lambda array: str(array.type),
)
def test_some_rows_of_new_types_of_arrow(tmp_path, array):
    table = pa.table({"RA": RA, "DEC": DEC, "new": array})
    write_if_possible(table, tmp_path / "in.parquet")
    keep = np.array([True, False, True])
    annotated = annotate(open_catalog(tmp_path / "in.parquet"), tmp_path / "annotated.parquet")
    assert pq.read_table(annotated).select(table.column_names).equals(table)
    write_chosen(open_catalog(tmp_path / "in.parquet"), tmp_path / "out.parquet", keep)
    expected = [value for value, chosen in zip(table.to_pylist(), keep, strict=True) if chosen]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected


def test_any_format_may_be_called_cat(tmp_path):
    Table({"RA": RA, "DEC": DEC}).write(tmp_path / "test.cat", format="votable")
    votable = recognise(tmp_path / "test.cat")
    assert votable.name == "votable"
    check_name(votable, tmp_path / "test.cat", tmp_path / "test_lsbg.cat")
    with pytest.raises(InputError, match=r"name it \.vot"):
        check_name(votable, tmp_path / "test.cat", tmp_path / "test.txt")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (csv_of("id,RA,DEC", "1,\0,2"), "it has a NUL byte in line 2"),
        (csv_of("id,RA,DEC", "1,31.5,-40.5,", "2,32.5,-41.5,"), "3 values between commas in its"),
        (csv_of("ra,dec", "1,2,", "3,4,"), "the second ends in a delimiter: remove it, or add one"),
        (csv_of("ra;dec;", "1;2", "3;4"), "the first ends in a delimiter: remove it"),
        (csv_of("Mine", "ra,dec", "1,2"), "1 value between commas .* remove what stands above"),
        ("ra,dec\n1,2\n".encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("ra,dec\n1,2\n".encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        (np.arange(500, dtype="<i2").tobytes(), "it has a NUL byte in line 1, so it is no text"),
        (np.arange(99, dtype="<i4").tobytes(), "it has a NUL byte in line 1, so it is no text"),
        (np.arange(99, dtype=">i2").tobytes(), "it has a NUL byte in line 1, so it is no text"),
        ("ra,dec\n1,2\n".encode("utf-16"), "text in UTF-16; convert it: iconv -f UTF-16"),
        ("ra,dec\n1,2\n".encode("utf-32"), "text in UTF-32; convert it: iconv -f UTF-32"),
    ],
)
def test_why_a_file_is_no_table(tmp_path, content, reason):
    assert re.search(reason, refusal(file_with(tmp_path, content)))


SPREADSHEETS = {
    "sep": (b"sep=;\r\n", b"RA;DEC;n\r\n", b"31,5;-40,5;a\r\n", b";0,5;0"),
    "sep in quotes": (b'"sep=;"\r\n', b"RA;DEC;n\r\n", b"31,5;-40,5;a\r\n", b";0,5;0"),
    "sep after a mark": (b"\xef\xbb\xbfSEP=,\n", b"RA,DEC,n\n", b"31.5,-40.5,a\n", b",0.5,0"),
    "sep of tabs": (b"sep=\t\r\n", b"RA\tDEC\tn\r\n", b"31.5\t-40.5\ta b\r\n", b"\t0.5\t0"),
    "names in quotes": (
        b"\xef\xbb\xbf",
        b'"RA","DEC","n"\r\n',
        b'31.5,-40.5,"a, b"\r\n',
        b",0.5,0",
    ),
    "blank lines": (b"\r\n\r\n", b"RA,DEC,n\r\n\r\n", b"31.5,-40.5,a\r\n\r\n", b",0.5,0"),
    "a blank name": (b"", b"RA,DEC,\r\n", b"31.5,-40.5,\r\n", b",0.5,0"),
}


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_habits_of_spreadsheets(tmp_path, name):
    beginning, header, row, ours = SPREADSHEETS[name]
    path = file_with(tmp_path, beginning + header + row)
    catalog = open_catalog(path)
    assert catalog.read_positions(0, catalog.row_count).tolist() == [[31.5, -40.5]]
    output = annotate(catalog, tmp_path / "out.csv").read_bytes()
    delimiter = ours[:1]
    names = delimiter.join([b"", b"P_LSBG", b"FLAGS_LSBG"])
    stop = len(header.rstrip(b"\r\n")), len(row.rstrip(b"\r\n"))
    assert output == b"".join([
        beginning, header[: stop[0]], names, header[stop[0] :], row[: stop[1]], ours, row[stop[1] :]
    ])  # fmt: skip
    again = open_catalog(tmp_path / "out.csv")
    assert again.row_count == 1 and again.column_names[-1] == "FLAGS_LSBG"


def test_pairs_of_names_in_the_same_case(tmp_path):
    path = file_with(tmp_path, csv_of("RA,DEC,ra,dec", "31.5,-40.5,31.5,-40.5"))
    found = open_catalog(path).position_columns
    assert (found.ra, found.dec) == ("RA", "DEC")
    path = file_with(tmp_path, csv_of("RA,DEC,ra,dec", "31.5,-40.5,31.5,40.5"))
    assert "RA/DEC and ra/dec by 2.92e+05 arcsec" in refusal(path)


def test_a_folder_without_tables_says_so(tmp_path):
    assert "no FITS tables or Parquet files in this folder" in refusal(tmp_path)


def test_other_tables_in_a_folder_of_parquet_are_named(tmp_path):
    pq.write_table(pa.table({"RA": RA, "DEC": DEC}), tmp_path / "a.parquet")
    assert not open_catalog(tmp_path).warnings
    Table({"RA": RA, "DEC": DEC}).write(tmp_path / "b.fits")
    catalog = open_catalog(tmp_path)
    assert catalog.row_count == 3
    assert catalog.warnings == (
        "tables in the folder that are no Parquet are copied and not scored: b.fits",
    )
