"""Text in, text out: the input's bytes with our cells at the end of each row, in every format."""

import csv
import io
import shutil
import subprocess
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from astropy import units as u
from astropy.io import ascii
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalogs import InputError, lsbg_columns, open_catalog
from catalogs.details import describe_columns, read_values
from catalogs.text import catalog as text_catalog

PROVENANCE = {"weights": "new weights", "source": "tiles:é x", "threshold": "0.4"}
LARGE = 36407050963681540
EVERY = settings(
    max_examples=30,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
needs_stilts = pytest.mark.skipif(not shutil.which("stilts"), reason="STILTS is not installed")


def values_for(start, stop):
    """Values whose shortest texts are known: none, 0.25, 0.5, 0.75."""
    rows = np.arange(start, stop)
    return np.where(rows % 4, rows % 4 / 4, np.nan).astype(np.float32), (rows % 9).astype(np.int16)


def texts_of(row, null=""):
    return (null if row % 4 == 0 else f"{row % 4 / 4:g}", str(row % 9))


def annotate(path, output, overwrite_columns=False, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names, style="upper")
    catalog.write_annotated(
        output, columns, values_for, PROVENANCE, overwrite_columns=overwrite_columns
    )
    return output


# --- CSV and TSV: every byte ---------------------------------------------------------------------

WORDS = st.text(st.sampled_from("aé 'xß.-7\u00a0"), max_size=4)
SPECIAL = st.sampled_from(["a,b", "c;d", "e|f", 'quote " in it', "two\nlines", "x\ty", ""])


@st.composite
def tables(draw, delimiter=None):
    """A table as (delimiter, header, records, separators, encoding, beginning): all bytes."""
    delimiter = delimiter or draw(st.sampled_from(",;|\t"))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    encoding = draw(st.sampled_from(["utf-8", "latin-1"]))
    count = draw(st.integers(1, 6))
    rows = [
        [
            draw(st.floats(0, 359)), draw(st.floats(-90, 90)),
            draw(st.one_of(WORDS, SPECIAL)), LARGE + n, draw(st.one_of(WORDS, SPECIAL)),
        ]
        for n in range(count)
    ]  # fmt: skip

    def written(row):
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
        writer.writerow(row)
        return text.getvalue().removesuffix("\r\n").encode(encoding)

    names = ["ra", "dec", "a name", "id", "é"]
    gaps = st.sampled_from(["", "", "", end, f"# a comment, {delimiter} more{end}", f"{end}{end}"])
    separators = [(end + draw(gaps)).encode() for _ in range(count + 1)]
    last = draw(st.sampled_from(["", end, end + end]))
    beginning = draw(st.sampled_from(["", "", f"# made by hand{end}"])).encode()
    if encoding == "utf-8" and draw(st.booleans()):
        beginning = b"\xef\xbb\xbf" + beginning
    separators[-1] = last.encode()
    records = [written(row) for row in rows]
    return delimiter.encode(), written(names), records, separators, encoding, beginning, rows


def expected_bytes(table, with_ours=True):
    """The file, put together anew: not as the code under test does it."""
    delimiter, header, records, separators, _, beginning, _ = table
    cells = [(b"P_LSBG", b"FLAGS_LSBG")]
    cells += [tuple(t.encode() for t in texts_of(row)) for row in range(len(records))]
    content = beginning
    for record, separator, ours in zip([header, *records], separators, cells, strict=True):
        content += delimiter.join([record, *(ours if with_ours else ())]) + separator
    return content


@pytest.mark.slow
@given(table=tables())
@EVERY
def test_every_other_byte_of_csv(table, tmp_path):
    path, output = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(expected_bytes(table, with_ours=False))
    annotate(path, output)
    assert output.read_bytes() == expected_bytes(table)
    again = annotate(output, tmp_path / "again.csv", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


@pytest.mark.parametrize("probability", [0.00061029196, 1.2345678e-05, 2.3543835e-06, 1e-38, 1.0])
def test_long_numbers_do_not_touch_the_value_before(tmp_path, probability):
    """Texts of float32 have up to 15 characters."""
    path = tmp_path / "in.cat"
    path.write_bytes(b"#   1 ALPHA_J2000  ra [deg]\n#   2 DELTA_J2000  dec [deg]\n  1.5  -2.5\n")
    catalog = open_catalog(path)
    columns = lsbg_columns(catalog.column_names, style="upper")
    row = np.array([probability], np.float32), np.array([256], np.int16)
    catalog.write_annotated(tmp_path / "out.cat", columns, lambda *_: row, PROVENANCE)
    last = (tmp_path / "out.cat").read_text().splitlines()[-1].split()
    assert [float(value) for value in last] == [1.5, -2.5, float(last[2]), 256]
    assert np.float32(last[2]) == row[0][0]


@pytest.mark.parametrize("name", ["ipac", "mrt"])
def test_long_numbers_stay_in_their_column(tmp_path, name):
    """The float32 with the longest texts are those a little above 1e-6."""
    table = a_table()
    ascii.write(table, tmp_path / f"in.{name}", format=name)
    catalog = open_catalog(tmp_path / f"in.{name}")
    columns = lsbg_columns(catalog.column_names, style="lower")
    probability = np.linspace(2.3543835e-06, 9.7e-06, len(table)).astype(np.float32)
    flags = np.full(len(table), -32768, np.int16)
    values = probability, flags
    catalog.write_annotated(
        tmp_path / f"out.{name}", columns, lambda *rows: [v[slice(*rows)] for v in values], {}
    )
    found = ascii.read(tmp_path / f"out.{name}", format="cds" if name == "mrt" else name)
    np.testing.assert_array_equal(np.float32(found["p_lsbg"]), probability)
    assert set(found["flags_lsbg"]) == {-32768}


def test_one_row_between_tabs_after_a_comment(tmp_path):
    """The blanks in a name and an empty cell do not make it a table with values between blanks."""
    path = tmp_path / "in.tsv"
    path.write_bytes(b"# made by hand\nra\tdec\ta name\tid\n1.5\t-2\t\t7")
    catalog = open_catalog(path)
    assert (catalog.format, catalog.row_count) == ("tsv", 1)
    assert catalog.column_names == ("ra", "dec", "a name", "id")
    assert catalog.read_positions(0, 1).tolist() == [[1.5, -2.0]]


@pytest.mark.slow
@given(table=tables())
@EVERY
def test_values_of_csv(table, tmp_path):
    path, rows = tmp_path / "in.csv", table[-1]
    path.write_bytes(expected_bytes(table, with_ours=False))
    catalog = open_catalog(path)
    assert catalog.format == ("tsv" if table[0] == b"\t" else "csv")
    assert catalog.row_count == len(rows)
    found = catalog.read_positions(0, len(rows))
    np.testing.assert_array_equal(found, np.array([row[:2] for row in rows], float))
    details = {detail.name: detail for detail in describe_columns(catalog)}
    assert details["id"].kind == "integer"
    order = np.arange(len(rows))[::-1]
    assert read_values(catalog, details["id"], order).tolist() == [r[3] for r in rows][::-1]
    if details["a name"].kind == "text":
        said = [
            text or "" for text in read_values(catalog, details["a name"], np.arange(len(rows)))
        ]
        assert said == [row[2].strip(" ") for row in rows]


@pytest.mark.slow
@given(table=tables(), size=st.integers(1, 400))
@EVERY
def test_blocks_of_any_size(table, size, tmp_path):
    """Rows, quotes and comments are cut anywhere by the end of a block."""
    path, output = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(expected_bytes(table, with_ours=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_catalog, "_BLOCK", size)
        annotate(path, output)
        catalog = open_catalog(path)
        found = catalog.read_positions(0, catalog.row_count)
    assert output.read_bytes() == expected_bytes(table)
    np.testing.assert_array_equal(found, np.array([row[:2] for row in table[-1]], float))


ODD = {
    "a lone carriage return": b"ra,dec\r1,2\r3,4\r",
    "a quote inside a value": b'ra,dec,size\n1,2,5" wide\n3,4,6" "x"\n',
    "a comment with quotes": b'ra,dec,n\n# it "is, so\n1,2,"a\nb"\n# and "this" one\n3,4,c\n',
    "single quotes": b"ra,dec,n\n1,2,'a,b'\n3,4,'c,d'\n",
    "names in a comment": b"# made by me\n#ra,dec\n1,2\n3,4\n",
    "blanks after commas": b"ra, dec\n1, 2\n3, 4\n",
    "blank lines": b"ra,dec\n\n  \n1,2\n \t\n3,4\n\n",
    "doubled quotes": b'ra,dec,n\n1,2,"""a"" b"\n3,4,""\n',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_csv(name, tmp_path):
    path, content = tmp_path / "in.csv", ODD[name]
    path.write_bytes(content)
    catalog = open_catalog(path)
    assert catalog.read_positions(0, 2).tolist() == [[1, 2], [3, 4]]
    output = annotate(path, tmp_path / "out.csv").read_bytes()
    without = (
        output.replace(b",P_LSBG,FLAGS_LSBG", b"").replace(b",,0", b"").replace(b",0.25,1", b"")
    )
    assert without == content and len(output) == len(content) + 18 + 3 + 7
    assert open_catalog(tmp_path / "out.csv").column_names[-2:] == ("P_LSBG", "FLAGS_LSBG")


def test_vizier_tsv(tmp_path):
    text = (
        "#RESOURCE=yCat\n#Name: J/x\n\n_RAJ2000\t_DEJ2000\tName\tmag\ndeg\tdeg\t \tmag\n"
        "----------\t----------\t----\t-----\n010.5\t-20.5\tA b\t21.0\n011.5\t+21.5\t\t     \n\n"
    )
    (tmp_path / "in.tsv").write_text(text)
    catalog = open_catalog(tmp_path / "in.tsv")
    assert catalog.format == "tsv" and catalog.position_columns.unit == "deg"
    assert catalog.read_positions(0, 2).tolist() == [[10.5, -20.5], [11.5, 21.5]]
    assert np.isnan(catalog.read_column("mag", 0, 2)).tolist() == [False, True]
    output = annotate(tmp_path / "in.tsv", tmp_path / "out.tsv").read_text()
    assert "_DEJ2000\tName\tmag\tP_LSBG\tFLAGS_LSBG\n" in output
    assert "----\t-----\t------\t----------\n" in output
    assert output.endswith("011.5\t+21.5\t\t     \t0.25\t1\n\n")


def test_decimal_commas(tmp_path):
    (tmp_path / "in.csv").write_text("ra;dec;n\n10,5;-20,25;a\n11;21,5;b\n")
    catalog = open_catalog(tmp_path / "in.csv")
    assert catalog.read_positions(0, 2).tolist() == [[10.5, -20.25], [11, 21.5]]
    output = annotate(tmp_path / "in.csv", tmp_path / "out.csv").read_text()
    assert output == "ra;dec;n;P_LSBG;FLAGS_LSBG\n10,5;-20,25;a;;0\n11;21,5;b;0,25;1\n"
    assert open_catalog(tmp_path / "out.csv").read_column("P_LSBG", 1, 2).tolist() == [0.25]


def test_a_file_without_names(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("7,10.5,-20.5\n8,11.5,21.5\n")
    with pytest.raises(InputError, match=r"no header, .* col1 = 7, col2 = 10.5, col3 = -20.5$"):
        open_catalog(path)
    output = annotate(path, tmp_path / "out.csv", ra="col2", dec="col3").read_text()
    assert output == "7,10.5,-20.5,,0\n8,11.5,21.5,0.25,1\n"


def test_a_table_without_rows(tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec")
    assert open_catalog(tmp_path / "in.csv").row_count == 0
    assert annotate(tmp_path / "in.csv", tmp_path / "o.csv").read_text() == (
        "ra,dec,P_LSBG,FLAGS_LSBG"
    )


def test_the_file_beside_csv_says_the_provenance(tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec\n1,2\n")
    output = annotate(tmp_path / "in.csv", tmp_path / "out.csv")
    catalog = open_catalog(output)
    assert catalog.provenance() == PROVENANCE
    assert open_catalog(tmp_path / "in.csv").provenance() == {}
    about = tmp_path / "out.csv-metadata.json"
    about.write_text('{"notes": "of somebody else"}')
    output.unlink()
    with pytest.raises(InputError, match="was not written by lsbg"):
        annotate(tmp_path / "in.csv", output)
    assert not output.exists() and about.read_text().endswith('else"}')


def test_large_integers_are_exact(tmp_path):
    (tmp_path / "in.csv").write_text(f"id,ra,dec\n{LARGE},1,2\n{2**64 - 1},3,4\n,5,6\n")
    catalog = open_catalog(tmp_path / "in.csv")
    detail = describe_columns(catalog)[0]
    assert detail.kind == "integer"
    assert read_values(catalog, detail, np.arange(3)).tolist() == [LARGE, 2**64 - 1, None]


# --- SourceExtractor, IPAC, SkyCat, MRT, plain ASCII -------------------------------------------

HEAD = """#   1 NUMBER                 Running object number
#   2 FLUX_APER              Flux vector within fixed circular aperture(s)              [count]
#   5 ALPHA_J2000            Right ascension of barycenter (J2000)                      [deg]
#   6 DELTA_J2000            Declination of barycenter (J2000)                          [deg]
#   7 FLAGS                  Extraction flags
"""


@st.composite
def head_tables(draw):
    """ASCII_HEAD as (header, rows, separators)."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    count = draw(st.integers(1, 5))
    numbers = st.floats(-1e6, 1e6, width=32)
    rows = []
    for n in range(count):
        row = [n + 1, *(draw(numbers) for _ in range(3)), draw(st.floats(0, 359)),
               draw(st.floats(-90, 90)), draw(st.integers(0, 99))]  # fmt: skip
        width = draw(st.integers(0, 14))
        rows.append((" ".join(f"{value!r:>{width}}" for value in row), row))
    gaps = st.sampled_from(["", "", "# comment\n", "\n", "   \n"])
    separators = [draw(st.sampled_from(["", " "])) + end + draw(gaps) for _ in rows]
    separators[-1] = draw(st.sampled_from(["", end]))
    return HEAD.replace("\n", end), rows, separators


@pytest.mark.slow
@given(table=head_tables(), size=st.one_of(st.just(1 << 22), st.integers(1, 300)))
@EVERY
def test_every_other_byte_of_ascii_head(table, size, tmp_path):
    header, rows, separators = table
    path, output = tmp_path / "in.cat", tmp_path / "out.cat"
    body = [row + separator for (row, _), separator in zip(rows, separators, strict=True)]
    path.write_bytes((header + "".join(body)).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_catalog, "_BLOCK", size)
        annotate(path, output)
    lines, expected = output.read_bytes().decode().split("lsbg.threshold=0.4", 1)
    after = expected.removeprefix("\r\n" if header.endswith("\r\n") else "\n")
    assert lines.startswith(header)
    assert [line.split()[1:3] for line in lines[len(header) :].splitlines()[:2]] == [
        ["8", "P_LSBG"], ["9", "FLAGS_LSBG"]
    ]  # fmt: skip
    joined = ""
    for number, ((row, _), separator) in enumerate(zip(rows, separators, strict=True)):
        blank, rest = (" ", separator[1:]) if separator.startswith(" ") else ("", separator)
        texts = texts_of(number, "nan")
        joined += f"{row}{blank}{texts[0]:>16}{texts[1]:>7}{rest}"
    assert after == joined
    catalog = open_catalog(output)
    assert catalog.column_names == (
        "NUMBER", "FLUX_APER", "ALPHA_J2000", "DELTA_J2000", "FLAGS", "P_LSBG", "FLAGS_LSBG"
    )  # fmt: skip
    np.testing.assert_array_equal(
        catalog.read_positions(0, len(rows)), [values[4:6] for _, values in rows]
    )
    assert catalog.provenance() == PROVENANCE
    again = annotate(output, tmp_path / "again.cat", overwrite_columns=True)
    assert again.read_bytes().replace(b" ", b"") == output.read_bytes().replace(b" ", b"")


def test_columns_of_ascii_head_are_numbered_again(tmp_path):
    lines = HEAD.splitlines()
    lines[2:2] = ["#   5 P_LSBG                 old", "#   6 FLAGS_LSBG             old"]
    text = "\n".join(
        f"#{n:4d}{line[5:]}" for n, line in zip((1, 2, 5, 6, 7, 8, 9), lines, strict=True)
    )
    (tmp_path / "in.cat").write_text(f"{text}\n 1 0 0 0 0.9 7 10.5 -20.5 3\n")
    output = annotate(tmp_path / "in.cat", tmp_path / "out.cat", overwrite_columns=True).read_text()
    found = [line.split()[1:3] for line in output.splitlines() if not line.startswith("# lsbg")]
    assert found[:7] == [
        ["1", "NUMBER"], ["2", "FLUX_APER"], ["5", "ALPHA_J2000"], ["6", "DELTA_J2000"],
        ["7", "FLAGS"], ["8", "P_LSBG"], ["9", "FLAGS_LSBG"],
    ]  # fmt: skip
    assert output.splitlines()[-1].split() == "1 0 0 0 10.5 -20.5 3 nan 0".split()


def test_astropy_reads_ascii_head(shared, tmp_path):
    path = shared / "cases" / "catalogs" / "ascii_head.cat"
    output = annotate(path, tmp_path / "out.cat")
    before, after = (ascii.read(p, format="sextractor") for p in (path, output))
    for name in before.colnames:
        np.testing.assert_array_equal(before[name], after[name])
        assert before[name].unit == after[name].unit
    expected = values_for(0, len(before))
    np.testing.assert_array_equal(after["P_LSBG"], expected[0])
    np.testing.assert_array_equal(after["FLAGS_LSBG"], expected[1])


@st.composite
def ipac_tables(draw):
    """IPAC as (header, rows, separators)."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    names = ["ra", "dec", "name", "id"]
    kinds, units = ["double", "double", "char", "long"], ["deg", "deg", "", ""]
    widths = [draw(st.integers(24, 28)), draw(st.integers(24, 28)), 8, 20]
    count = draw(st.integers(2, 4))
    lines = (names, kinds, units, ["null"] * 4)[:count]
    head = [f"\\origin = 'somewhere'{end}\\ a comment{end}"] if draw(st.booleans()) else []
    head += [
        "|" + "|".join(f"{word:^{w}}" for word, w in zip(line, widths, strict=True)) + "|" + end
        for line in lines
    ]
    rows = []
    for n in range(draw(st.integers(1, 5))):
        values = [draw(st.floats(0, 359)), draw(st.floats(-90, 90)), f"a {n}", LARGE + n]
        text = " " + " ".join(f"{v!s:>{w}}" for v, w in zip(values, widths, strict=True))
        rows.append((text + draw(st.sampled_from(["", " "])), values))
    separators = [end] * len(rows)
    separators[-1] = draw(st.sampled_from(["", end]))
    return "".join(head), rows, separators


@pytest.mark.slow
@given(table=ipac_tables())
@EVERY
def test_every_other_byte_of_ipac(table, tmp_path):
    header, rows, separators = table
    path, output = tmp_path / "in.tbl", tmp_path / "out.tbl"
    body = [row + separator for (row, _), separator in zip(rows, separators, strict=True)]
    path.write_bytes((header + "".join(body)).encode())
    annotate(path, output)
    width = len(header.splitlines()[-1])
    old_lines, new_lines = path.read_bytes().splitlines(True), output.read_bytes().splitlines(True)
    new_lines = [line for line in new_lines if not line.startswith(b"\\LSBG")]
    assert len(old_lines) == len(new_lines)
    for old, new in zip(old_lines, new_lines, strict=True):
        kept = old.rstrip(b"\r\n")
        assert new.startswith(kept) and new.endswith(old[len(kept) :])
        ours = new[len(kept) : len(new) - (len(old) - len(kept))]
        assert old.startswith(b"\\") == (not ours)
        assert not ours or len(kept) + len(ours) in (width + 32, width + 31)
    read = Table.read(output, format="ascii.ipac")
    assert read.colnames == ["ra", "dec", "name", "id", "P_LSBG", "FLAGS_LSBG"]
    np.testing.assert_array_equal(read["ra"], [values[0] for _, values in rows])
    np.testing.assert_array_equal(
        np.ma.filled(read["P_LSBG"].astype("f4"), np.nan), values_for(0, len(rows))[0]
    )
    catalog = open_catalog(output)
    assert catalog.format == "ipac" and catalog.provenance() == PROVENANCE
    again = annotate(output, tmp_path / "again.tbl", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


SKYCAT = "QueryResult\n\n# Config entry for original catalog server:\nserv_type: catalog\n# End\n\n"


@pytest.mark.parametrize("between", ["\t", "  \t ", " "])
@pytest.mark.parametrize("dashes", ["------------------", "--\t--\t--\t-----"])
def test_skycat(between, dashes, tmp_path):
    rows = ["1 10.5 -20.5 21.0".split(), "2 11.5 21.5 22.0".split()]
    text = f"{SKYCAT}id\tra\tdec\tMAG\n{dashes}\n"
    text += "".join(between.join(row) + "\n" for row in rows) + "[EOD]"
    (tmp_path / "in.cat").write_text(text)
    catalog = open_catalog(tmp_path / "in.cat")
    assert catalog.format == "skycat" and catalog.column_names == ("id", "ra", "dec", "MAG")
    assert catalog.read_positions(0, 2).tolist() == [[10.5, -20.5], [11.5, 21.5]]
    output = annotate(tmp_path / "in.cat", tmp_path / "out.cat")
    found = open_catalog(output)
    assert found.row_count == 2 and found.provenance() == PROVENANCE
    np.testing.assert_array_equal(found.read_column("P_LSBG", 0, 2), [np.nan, 0.25])
    lines = output.read_text().splitlines()
    for old in text.splitlines():
        assert any(new.startswith(old) for new in lines), old
    assert lines[-1] == "[EOD]"
    again = annotate(output, tmp_path / "again.cat", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


def a_table():
    table = Table(
        {
            "ra": np.array([10.5, 11.25, 12.125]) * u.deg,
            "dec": np.array([-5.5, 0.25, 5.125]) * u.deg,
            "name": ["one", "b", "c"],
            "id": [LARGE, 2, 3],
            "mag": MaskedColumn([21.5, 0.0, 22.25], mask=[False, True, False]),
        }
    )
    return table


@pytest.mark.parametrize(
    "name", ["csv", "tab", "rdb", "ipac", "mrt", "basic", "commented_header", "no_header"]
)
def test_astropy_reads_what_was_made_of_its_tables(name, tmp_path):
    path = tmp_path / "in.txt"
    table = (
        a_table()
        if name not in ("basic", "commented_header", "no_header")
        else a_table()["ra", "dec", "name", "id"]
    )
    if name == "rdb":
        table = Table({column: np.ma.asarray(table[column]) for column in table.colnames})
    ascii.write(table, path, format=name)
    where = {"ra": "col1", "dec": "col2"} if name == "no_header" else {}
    output = annotate(path, tmp_path / "out.txt", **where)
    before, after = (ascii.read(p, format=name, guess=False) for p in (path, output))
    assert len(after.colnames) == len(before.colnames) + 2
    for column in before.colnames:
        np.testing.assert_array_equal(
            np.ma.getmaskarray(before[column]), np.ma.getmaskarray(after[column])
        )
        assert before[column].tolist() == after[column].tolist()
        assert before[column].unit == after[column].unit
    probability, flags = after.columns[-2], after.columns[-1]
    found = np.ma.filled(np.ma.asarray(probability).astype("f4"), np.nan)
    np.testing.assert_array_equal(found, values_for(0, 3)[0])
    np.testing.assert_array_equal(flags, values_for(0, 3)[1])


@pytest.mark.long
@needs_stilts
@pytest.mark.parametrize("kind", ["csv", "tst", "ascii", "ipac"])
def test_stilts_reads_what_was_made_of_its_tables(kind, tmp_path):
    a_table().write(tmp_path / "a.fits")

    def stilts(*words):
        done = subprocess.run(
            ["stilts", "tpipe", *words], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    path = tmp_path / "in.txt"
    stilts(f"in={tmp_path / 'a.fits'}", f"out={path}", f"ofmt={kind}")
    output = annotate(path, tmp_path / "out.txt")
    got = stilts(
        f"in={output}",
        f"ifmt={kind}",
        "omode=out",
        "ofmt=csv",
        "cmd=keepcols 'id P_LSBG FLAGS_LSBG'",
    )
    rows = [line.split(",") for line in got.splitlines()[1:]]
    assert [(int(row[0]), float(row[1] or "nan") or None, int(row[2])) for row in rows[1:]] == [
        (2, 0.25, 1), (3, 0.5, 2)
    ]  # fmt: skip
    assert rows[0][0] == str(LARGE) and rows[0][1] in ("", "NaN") and rows[0][2] == "0"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_other_readers_of_csv(library, tmp_path):
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    path = tmp_path / "in.csv"
    path.write_text(f'id,ra,dec,name\n{LARGE},1.5,2.5,"a, b"\n2,3.5,4.5,"x ""y"""\n')
    output = annotate(path, tmp_path / "out.csv")
    if library == "pyarrow":
        found = pacsv.read_csv(output).to_pydict()
    else:
        frame = module.read_csv(output)
        found = {name: frame[name].to_list() for name in frame.columns}
    assert found["id"] == [LARGE, 2] and found["name"] == ["a, b", 'x "y"']
    assert found["P_LSBG"][1] == 0.25 and found["FLAGS_LSBG"] == [0, 1]
    assert found["P_LSBG"][0] is None or np.isnan(found["P_LSBG"][0])


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_text(ending, tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec\n1,2\n3,4\n")
    packed = annotate(tmp_path / "in.csv", tmp_path / f"out.csv{ending}")
    catalog = open_catalog(packed)
    assert catalog.format == "csv" and catalog.row_count == 2
    again = annotate(packed, tmp_path / "again.csv", overwrite_columns=True)
    assert again.read_text() == "ra,dec,P_LSBG,FLAGS_LSBG\n1,2,,0\n3,4,0.25,1\n"


# --- What cannot be read -------------------------------------------------------------------------

WRONG = {
    "a row too short": (b"ra,dec,n\n1,2,a\n3,4\n5,6,c\n", "line 3: 2 values instead of 3"),
    "a row too long": (b"ra,dec,n\n1,2,a\n5,6,c\n\n3,4,b,x\n", "line 5: 4 values instead of 3"),
    "a quote that stays open": (
        b'ra,dec,n\n1,2,a\n3,4,"b\n5,6,c\n',
        "line 3: a quote is not closed",
    ),
    "no number": (
        b"ra,dec,n\n1,2,a\n" * 1 + b"1,2,a\n" * 2000 + b"x,4,b\n",
        "ra in line 2003 is 'x'",
    ),
    "UTF-16": ("ra,dec\n1,2\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
    "no position": (b"a,b\n1,2\n3,4\n", "no position column"),
    "twice the same": (b"ra,dec,ra\n1,2,3\n4,5,6\n", "2 columns are called ra"),
    "only comments": (b"# a\n# b\n", "of none of the formats"),
    "prose": (b"This is a text.\nIt has no columns at all\n", "of none of the formats"),
    "ASCII_HEAD cut": (
        HEAD.encode() + b" 1 2 3\n",
        "names 7 values a row, but the first row has 3",
    ),
    "ASCII_HEAD ragged": (
        HEAD.encode() + b" 1 0 0 0 5 6 7\n 1 0 0 0 5 6\n",
        "line 7: 6 values instead of 7",
    ),
    "IPAC too wide": (
        b"| ra | dec|\n|real|real|\n  1.0  2.0\n  1.0  2.0 x\n",
        "line 4 goes on behind the last bar",
    ),
    "bars": (b"| ra | dec|\n| 1.0| 2.0|\n", "ascii.fixed_width"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(name, tmp_path):
    content, message = WRONG[name]
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        catalog = open_catalog(path)
        catalog.read_positions(0, catalog.row_count)
    said = str(error.value)
    assert message in said and "\n" not in said and said.startswith(str(path))


def test_nothing_half_written(tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec\n1,2\n3,4\n")
    catalog = open_catalog(tmp_path / "in.csv")

    def broken(start, stop):
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        catalog.write_annotated(tmp_path / "out.csv", lsbg_columns(()), broken, PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_columns_that_exist_are_refused(tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec,p_lsbg\n1,2,0.5\n")
    with pytest.raises(InputError, match="already has the column p_lsbg"):
        annotate(tmp_path / "in.csv", tmp_path / "out.csv")


def test_mrt_columns_at_the_end_are_replaced(tmp_path):
    ascii.write(a_table(), tmp_path / "in.mrt", format="mrt")
    output = annotate(tmp_path / "in.mrt", tmp_path / "out.mrt")
    assert open_catalog(output).provenance()["weights"] == "new weights"
    again = annotate(output, tmp_path / "again.mrt", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_mrt_columns_in_the_middle_are_replaced(tmp_path, place, end):
    old = a_table()
    table = old.copy()
    table.add_column(np.full(len(old), 0.123), index=place, name="P_LSBG")
    table.add_column(np.full(len(old), 7777), index=place + 1, name="FLAGS_LSBG")
    ascii.write(table, tmp_path / "in.mrt", format="mrt")
    text = (tmp_path / "in.mrt").read_text().replace("\n", end)
    (tmp_path / "in.mrt").write_bytes(text.encode())
    output = annotate(tmp_path / "in.mrt", tmp_path / "out.mrt", overwrite_columns=True)
    content = output.read_bytes()
    assert content.count(b"P_LSBG") == 1 and content.count(b"FLAGS_LSBG") == 1
    assert b"7777" not in content and (b"\r\n" in content) == (end == "\r\n")
    found, before = ascii.read(output, format="mrt"), ascii.read(tmp_path / "in.mrt", format="mrt")
    before.remove_columns(["P_LSBG", "FLAGS_LSBG"])
    assert found.colnames == [*before.colnames, "P_LSBG", "FLAGS_LSBG"]
    for name in before.colnames:
        assert found[name].tolist() == before[name].tolist()
        assert found[name].unit == before[name].unit
    expected = [None if np.isnan(p) else float(f"{p:g}") for p in values_for(0, len(old))[0]]
    assert found["P_LSBG"].tolist() == expected
    assert found["FLAGS_LSBG"].tolist() == values_for(0, len(old))[1].tolist()
    again = annotate(output, tmp_path / "again.mrt", overwrite_columns=True)
    assert again.read_bytes() == content


# --- Size ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path):
    rows, peaks = 20_000, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_catalog, "_BLOCK", 1 << 16)
        for times in (1, 20):
            path = tmp_path / f"{times}.csv"
            line = "".join(f"{n},{n % 360}.123456,-{n % 90}.5,abc\n" for n in range(rows))
            path.write_text("id,ra,dec,name\n" + line * times)
            before = pa.total_allocated_bytes()
            tracemalloc.start()
            annotate(path, tmp_path / "out.csv")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert pa.total_allocated_bytes() - before < 1 << 22
    assert peaks[1] < 1.5 * peaks[0] + (1 << 20)


@pytest.mark.parametrize(
    "name",
    ["Baseline_test.csv", "deepfuse_val.csv", "hsc_artifacts.csv", "hsc_LSBGs.dat"],
)
def test_the_published_lists(shared, name, survey, lsbg, tmp_path):
    path = shared / "lists" / name
    ending = name.partition(".")[2]
    options = ["--cutouts", f"tiles:{survey.tiles}", "--dry-run"]
    if ending == "dat":
        code, _, err = lsbg("classify", path, tmp_path / "out.dat", *options)
        assert code == 1 and err.count("\n") == 1 and "col2 = 247.28273, col3 = 43.67173" in err
        options += ["--ra", "col2", "--dec", "col3"]
    code, out, err = lsbg("classify", path, tmp_path / f"out.{ending}", *options)
    rows = sum(bool(line.strip()) for line in path.read_text().splitlines()) - (ending == "csv")
    assert code == 0, err
    assert f"{rows} rows" in out and not list(tmp_path.iterdir())
    catalog = open_catalog(path, **({"ra": "col2", "dec": "col3"} if ending == "dat" else {}))
    numbers = ascii.read(path, format="csv" if ending == "csv" else "no_header")
    names = ("col2", "col3") if ending == "dat" else ("ra", "dec")
    expected = np.stack([np.asarray(numbers[column], float) for column in names], axis=1)
    np.testing.assert_array_equal(catalog.read_positions(0, catalog.row_count), expected)


@pytest.mark.long
@pytest.mark.slow
def test_a_run_and_its_report(survey, lsbg, tmp_path):
    rows = Table.read(survey.candidates)[:40]
    names = [name for name in rows.colnames if rows[name].ndim == 1]
    ascii.write(rows[names], tmp_path / "in.csv", format="csv")
    rows[names].write(tmp_path / "in.fits")
    for ending in ("csv", "fits"):
        paths = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
        code, _, err = lsbg("classify", *paths, "--cutouts", f"tiles:{survey.tiles}", "--quiet")
        assert code == 0, err
    text, binary = ascii.read(tmp_path / "out.csv"), Table.read(tmp_path / "out.fits")
    found = np.ma.filled(np.ma.asarray(text["P_LSBG"]).astype("f4"), np.nan)
    np.testing.assert_array_equal(found, np.ma.filled(binary["P_LSBG"], np.nan))
    np.testing.assert_array_equal(text["FLAGS_LSBG"], binary["FLAGS_LSBG"])
    options = ("--cutouts", f"tiles:{survey.tiles}")
    code, _, err = lsbg("report", tmp_path / "out.csv", tmp_path / "report", *options)
    assert code == 0, err
    assert "weights" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
