"""ECSV in, ECSV out: our values at the end of each line, and all else as it was."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogs import InputError, lsbg_columns, open_catalog

PROVENANCE = {"weights": "des-simulated", "select": '`g-i` < 1.4 & "é"\n'}
OURS = ["p_lsbg", "flags_lsbg"]
each_delimiter = pytest.mark.parametrize("delimiter", [" ", ","])


def values_for(start, stop):
    rows = np.arange(start, stop)
    probability = np.where(rows % 5 == 4, np.nan, rows / 1e6).astype(np.float32)
    return probability, (rows % 128).astype(np.int16)


def annotate(path, output, overwrite_columns=False, provenance=PROVENANCE, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(
        output, columns, values_for, provenance, overwrite_columns=overwrite_columns
    )
    return output


def a_table(rows=7):
    rng = np.random.default_rng(3)
    table = Table(
        {
            "ra": rng.uniform(0, 360, rows) * u.deg,
            "dec": rng.uniform(-90, 90, rows) * u.deg,
            "id": MaskedColumn(np.arange(rows) + (1 << 60), mask=np.arange(rows) % 3 == 1),
            "mag": MaskedColumn(rng.normal(22, 1, rows).astype("f4"), mask=np.arange(rows) == 2),
            "name": [f'<{i}> "é" , {i}' for i in range(rows)],
            "aper": rng.normal(size=(rows, 3)),
            "ok": np.arange(rows) % 2 == 0,
        }
    )
    table["mag"].format = ".1f"
    table["mag"].description = "brightness: total"
    table["id"].meta = {"b": 1, "a": [1, 2]}
    table.meta = {"zebra": 1, "ant": {"list": [1, 2.5, None], "text": "a: b\n# c"}, "who": "é"}
    return table


def body(path):
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def same(before, after):
    """Columns of `before` are in `after`: values, nulls, units, descriptions, meta."""
    assert after.colnames[: len(before.colnames)] == before.colnames
    for name in before.colnames:
        old, new = before[name], after[name]
        assert old.info.unit == new.info.unit
        assert old.info.description == new.info.description
        assert old.info.format == new.info.format
        assert old.info.meta == new.info.meta
        assert old.dtype == new.dtype
        np.testing.assert_array_equal(np.ma.getmaskarray(old), np.ma.getmaskarray(new))
        np.testing.assert_array_equal(np.ma.getdata(old), np.ma.getdata(new))


@each_delimiter
def test_all_else_survives(delimiter, tmp_path):
    path = tmp_path / "in.ecsv"
    a_table().write(path, delimiter=delimiter)
    output = annotate(path, tmp_path / "out.ecsv")
    before, after = Table.read(path), Table.read(output)
    same(before, after)
    assert after.colnames == before.colnames + OURS
    said = {f"lsbg.{key}": value for key, value in PROVENANCE.items()}
    assert dict(after.meta) == dict(before.meta) | said
    assert list(after.meta)[:3] == ["zebra", "ant", "who"]
    for old, new in zip(body(path), body(output), strict=True):
        assert new.startswith(old + delimiter)


@each_delimiter
def test_our_columns(delimiter, tmp_path):
    a_table().write(tmp_path / "in.ecsv", delimiter=delimiter)
    table = Table.read(annotate(tmp_path / "in.ecsv", tmp_path / "out.ecsv"))
    probability, flags = values_for(0, 7)
    np.testing.assert_array_equal(table["p_lsbg"].mask, np.isnan(probability))
    np.testing.assert_array_equal(table["p_lsbg"].filled(np.nan), probability)
    np.testing.assert_array_equal(table["flags_lsbg"], flags)
    assert [table[name].dtype for name in OURS] == [np.float32, np.int16]
    assert table["p_lsbg"].info.meta == {"ucd": "stat.probability;src.class"}
    assert table["flags_lsbg"].description.startswith("flags of the LSBG")
    assert not hasattr(table["flags_lsbg"], "mask")


@each_delimiter
def test_read_again_and_replaced(delimiter, tmp_path):
    a_table().write(tmp_path / "in.ecsv", delimiter=delimiter)
    once = annotate(tmp_path / "in.ecsv", tmp_path / "once.ecsv")
    np.testing.assert_array_equal(
        open_catalog(once).read_column("p_lsbg", 0, 7), values_for(0, 7)[0]
    )
    assert open_catalog(once).provenance() == PROVENANCE
    with pytest.raises(InputError, match="already has the column p_lsbg"):
        annotate(once, tmp_path / "twice.ecsv")
    twice = annotate(once, tmp_path / "twice.ecsv", overwrite_columns=True)
    assert twice.read_bytes() == once.read_bytes()
    bare = annotate(once, tmp_path / "bare.ecsv", overwrite_columns=True, provenance={})
    assert "lsbg.weights" not in bare.read_text()


def test_replaced_in_the_middle(tmp_path):
    table = a_table()
    table.add_column(np.arange(7.0), name="P_LSBG", index=2)
    table.write(tmp_path / "in.ecsv")
    output = annotate(tmp_path / "in.ecsv", tmp_path / "out.ecsv", overwrite_columns=True)
    after = Table.read(output)
    a_table().write(tmp_path / "without.ecsv")
    same(Table.read(tmp_path / "without.ecsv"), after)
    assert after.colnames == a_table().colnames + OURS


def test_columns_of_numbers(tmp_path):
    a_table().write(tmp_path / "in.ecsv")
    catalog = open_catalog(tmp_path / "in.ecsv")
    np.testing.assert_array_equal(catalog.read_column("ok", 0, 3), [1, 0, 1])
    np.testing.assert_array_equal(np.isnan(catalog.read_column("id", 0, 7)), np.arange(7) % 3 == 1)
    for name in ("name", "aper"):
        with pytest.raises(InputError, match=f"{name} is not one real number"):
            catalog.read_column(name, 0, 7)
    np.testing.assert_array_equal(
        catalog.read_positions(2, 5), np.transpose([a_table()["ra"], a_table()["dec"]])[2:5]
    )


def test_a_sky_coordinate_stays_one(tmp_path):
    table = QTable({"sky": SkyCoord([1, 2] * u.deg, [3, 4] * u.deg), "flux": [1, 2] * u.nJy})
    table.write(tmp_path / "in.ecsv")
    output = annotate(tmp_path / "in.ecsv", tmp_path / "out.ecsv", ra="sky.ra", dec="sky.dec")
    after = QTable.read(output)
    assert isinstance(after["sky"], SkyCoord)
    assert after["sky"].ra.deg.tolist() == [1, 2]
    assert after["flux"].unit == u.nJy
    assert after.colnames == ["sky", "flux", *OURS]


def test_comments_blank_lines_and_line_ends_stay(tmp_path):
    path = tmp_path / "in.ecsv"
    text = (
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\n"
        "# - {name: dec, datatype: float64}\n# - {name: note, datatype: string}\n"
        'ra  dec   note\n1.50  2 "a ""b"""\n\n# between\n3 4 ""   \n5 6 c'
    )
    path.write_bytes(text.replace("\n", "\r\n").encode())
    output = annotate(path, tmp_path / "out.ecsv").read_bytes().decode()
    assert output.partition("\nra")[2] == (
        '  dec   note p_lsbg flags_lsbg\r\n1.50  2 "a ""b""" 0.0 0\r\n\r\n# between\r\n'
        '3 4 "" 1e-06 1\r\n5 6 c 2e-06 2\n'
    )
    assert len(Table.read(tmp_path / "out.ecsv")) == 3


def test_a_value_of_several_lines_stays_one(tmp_path):
    table = Table({"ra": [1.0, 2.0], "dec": [1.0, 2.0], "note": ["a\nb # c\n d", "e"]})
    table.write(tmp_path / "in.ecsv")
    same(Table.read(tmp_path / "in.ecsv"),
         Table.read(annotate(tmp_path / "in.ecsv", tmp_path / "out.ecsv")))  # fmt: skip


def test_no_rows(tmp_path):
    a_table()["ra", "dec", "name"][:0].write(tmp_path / "in.ecsv")
    assert len(Table.read(annotate(tmp_path / "in.ecsv", tmp_path / "out.ecsv"))) == 0


START = "# %ECSV 1.0\n# ---\n# datatype:\n"
POSITION = "# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\n"
BAD = {
    "no yaml": (START + "# - {name: [\nra dec\n", "not a readable ECSV file"),
    "no columns": ("# %ECSV 1.0\n# ---\n# meta: {}\nra dec\n", "its header names no columns"),
    "no names": (START + "# - {datatype: int64}\nra\n1\n", "a column without a name"),
    "only a header": (START + POSITION, "no line of names"),
    "delimiter": (START + POSITION + "# delimiter: '|'\nra|dec\n1|2\n", "its delimiter is"),
    "short line": (START + POSITION + "ra dec\n1 2\n3\n", "line 8 has 1 values, but the header 2"),
    "number": (START + POSITION + "ra dec\n1 2\n3 x\n", "dec in line 8 is 'x', not a float64"),
    "text": (START + POSITION.replace("float64", "string") + "ra dec\nA 2\n", "no position in"),
    "no position": (START + "# - {name: x, datatype: int64}\nx\n1\n", "no position column"),
    "latin-1": (START.encode() + b"# - {name: \xe9, datatype: int64}\n\xe9\n1\n", "utf-8"),
    "python": (START + POSITION + "# meta: !!python/object:os.system {}\nra dec\n", "not a read"),
    "truncated": (START + POSITION + 'ra dec\n1 2\n3 "4', "not a readable ECSV file"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_said_in_one_line(case, tmp_path):
    text, message = BAD[case]
    path = tmp_path / "in.ecsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as error:
        annotate(path, tmp_path / "out.ecsv")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.ecsv").exists()


def test_one_table_only(tmp_path):
    a_table().write(tmp_path / "in.ecsv")
    with pytest.raises(InputError, match="ECSV has one"):
        open_catalog(tmp_path / "in.ecsv", table="1")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_is_refused_or_survived(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    a_table(4).write(folder / "in.ecsv")
    content = bytearray((folder / "in.ecsv").read_bytes())
    place = data.draw(st.integers(8, len(content) - 1))
    stop = place + data.draw(st.integers(0, 40))
    content[place:stop] = data.draw(st.binary(max_size=6))
    (folder / "in.ecsv").write_bytes(content)
    try:
        annotate(folder / "in.ecsv", folder / "out.ecsv")
    except InputError as error:
        assert "\n" not in str(error)
        assert not (folder / "out.ecsv").exists()


def columns_of(rows):
    def masked(elements, dtype):
        return st.tuples(
            st.lists(elements, min_size=rows, max_size=rows),
            st.lists(st.booleans(), min_size=rows, max_size=rows),
        ).map(lambda drawn: MaskedColumn(np.array(drawn[0], dtype), mask=drawn[1]))

    # What ends a line for Python ends it, or is stripped, when astropy reads the file again.
    ends = "\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=ends), max_size=5)
    return st.one_of(
        masked(st.floats(), "f8"),
        masked(st.floats(width=32), "f4"),
        masked(st.integers(-(2**62), 2**62), "i8"),
        masked(st.booleans(), "?"),
        masked(texts, "U5"),
        st.lists(st.tuples(st.floats(), st.floats()), min_size=rows, max_size=rows).map(
            lambda pairs: np.array(pairs, "f8").reshape(rows, 2)
        ),
    )


@pytest.mark.long
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_table(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    rows = data.draw(st.integers(1, 5))
    table = Table({"ra": np.arange(rows) * 1.0, "dec": np.arange(rows) * 1.0})
    for number in range(data.draw(st.integers(0, 9))):
        table[f"c{number}"] = data.draw(columns_of(rows))
    path = folder / "in.ecsv"
    table.write(path, delimiter=data.draw(st.sampled_from(" ,")))
    try:
        before = Table.read(path)
    except ValueError:
        return  # astropy does not read again all texts that it writes
    after = Table.read(annotate(path, folder / "out.ecsv"))
    same(before, after)
    probability, flags = values_for(0, rows)
    np.testing.assert_array_equal(np.ma.filled(after["p_lsbg"], np.nan), probability)
    np.testing.assert_array_equal(after["flags_lsbg"], flags)
