"""VOTable in, VOTable out: our cells are inserted, and every other byte stays."""

import base64
import gzip
import re
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from astropy.io import votable
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogs import InputError, lsbg_columns, open_catalog

PROVENANCE = {"weights": "des-simulated", "source": "tiles:é", "select": '`g-i` < 1.4 & "x"\n'}
OURS = re.compile(
    rb'\s*<(\w+:)?(FIELD name="(p_lsbg|flags_lsbg|P_LSBG|FLAGS_LSBG)".*?FIELD>'
    rb'|PARAM name="lsbg\.[^>]*/>)'
)
FORMATS = ("tabledata", "binary", "binary2")
each_format = pytest.mark.parametrize("serialization", FORMATS)

HEADER = """<?xml version="1.0"?>
<!-- a comment > with <TR> in it -->
<v:VOTABLE version="1.3" xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3" xmlns:other="urn:other">
  <v:INFO name="QUERY_STATUS" value="OK"/>
  <v:RESOURCE>
    <v:RESOURCE><v:TABLE name="inner"><v:FIELD name="x" datatype="int"/>
      <v:DATA><v:TABLEDATA><v:TR><v:TD>1</v:TD></v:TR></v:TABLEDATA></v:DATA></v:TABLE></v:RESOURCE>
    <v:COOSYS ID="sys" system="ICRS"/>
    <v:TABLE ID="t" name="stars" nrows="3">
      <v:DESCRIPTION>Candidates &amp; more</v:DESCRIPTION>
      <v:PARAM name="seeing" datatype="float" value="0.9" unit="arcsec"/>
"""
FIELDS = """<v:FIELD ID="one" name="RA" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main" \
ref="sys" precision="2"/>
      <v:FIELD name='DEC' datatype="double" unit="deg" width="6" precision="F3"
        ucd="a>b"><v:DESCRIPTION>declination</v:DESCRIPTION><v:LINK href="x"/></v:FIELD>
      <v:FIELD name="N" datatype="short"><v:VALUES null="-99"><v:MIN value="0"/></v:VALUES>
      </v:FIELD>
      <v:FIELD name="NAME" datatype="char" arraysize="*" utype="x:y"/>
      <v:GROUP name="pos"><v:FIELDref ref="one"/></v:GROUP>
      """
ROWS = """<v:DATA><v:TABLEDATA>
        <v:TR><v:TD>1.23456789</v:TD><v:TD>-5.5</v:TD><v:TD>-99</v:TD><v:TD><![CDATA[a</TR>]]></v:TD></v:TR>
        <v:TR><v:TD>NaN</v:TD><v:TD/><v:TD>7</v:TD><v:TD>b</v:TD></v:TR><!-- between -->
        <v:TR>
          <v:TD>359.9</v:TD>
          <v:TD>89</v:TD><v:TD>8</v:TD>
          <v:TD/>
        </v:TR>
      </v:TABLEDATA></v:DATA>
      <v:INFO name="after" value="the data"/>
    </v:TABLE>
  </v:RESOURCE>
</v:VOTABLE>
"""
HAND_MADE = HEADER + FIELDS + ROWS


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


def parsed(path, name=None):
    """A table as astropy reads it; by its name where there are several."""
    with warnings.catch_warnings(action="ignore"):
        tables = list(votable.parse(path).iter_tables())
    return next(table for table in tables if name is None or table.name == name)


def described(field):
    names = ("name", "datatype", "arraysize", "ucd", "unit", "utype", "xtype", "precision", "width")
    return [str(getattr(field, name)) for name in (*names, "description")]


def same_values(before, after):
    """The old columns of `after` are those of `before`: values, nulls and descriptions."""
    count = len(before.fields)
    assert [described(f) for f in after.fields[:count]] == [described(f) for f in before.fields]
    for name in before.array.dtype.names:
        old, new = before.array[name], after.array[name]
        np.testing.assert_array_equal(np.ma.getmaskarray(old), np.ma.getmaskarray(new))
        for one, other in zip(old.data, new.data, strict=True):
            np.testing.assert_array_equal(one, other)


def a_table(rows=7):
    rng = np.random.default_rng(3)
    return Table(
        {
            "ra": rng.uniform(0, 360, rows),
            "dec": rng.uniform(-90, 90, rows),
            "id": MaskedColumn(np.arange(rows) + (1 << 60), mask=np.arange(rows) % 3 == 1),
            "mag": MaskedColumn(rng.normal(22, 1, rows).astype("f4"), mask=np.arange(rows) == 2),
            "name": [f"<{i}> é" for i in range(rows)],
            "aper": rng.normal(size=(rows, 3)),
            "ok": np.arange(rows) % 2 == 0,
        }
    )


def write(table, path, serialization):
    with warnings.catch_warnings(action="ignore"):
        tree = votable.from_table(table)
        for field in tree.get_first_table().fields:
            if field.name in ("ra", "dec"):
                field.unit = "deg"
            if field.datatype in ("long", "int", "short"):
                field.values.null = -1
                field._setup({}, None)
        tree.to_xml(str(path), tabledata_format=serialization)
    return path


@each_format
def test_all_else_survives(serialization, tmp_path):
    path = write(a_table(), tmp_path / "in.vot", serialization)
    after = parsed(annotate(path, tmp_path / "out.vot"))
    same_values(parsed(path), after)
    assert [field.name for field in after.fields[-2:]] == ["p_lsbg", "flags_lsbg"]
    assert f"<{serialization.upper()}>".encode() in (tmp_path / "out.vot").read_bytes()


@each_format
def test_our_columns(serialization, tmp_path):
    path = write(a_table(), tmp_path / "in.vot", serialization)
    table = parsed(annotate(path, tmp_path / "out.vot"))
    probability, flags = values_for(0, 7)
    found = table.array["p_lsbg"]
    np.testing.assert_array_equal(np.ma.getmaskarray(found), np.isnan(probability))
    np.testing.assert_array_equal(found.filled(np.nan), probability)
    assert found.dtype == np.float32
    assert table.array["flags_lsbg"].dtype == np.int16
    assert table.array["flags_lsbg"].tolist() == flags.tolist()
    fields = table.fields[-2:]
    assert [field.ucd for field in fields] == ["stat.probability;src.class", "meta.code.qual"]
    assert fields[0].description.startswith("probability of being")


def test_the_provenance_is_said_once(tmp_path):
    path = write(a_table(), tmp_path / "in.vot", "tabledata")
    table = parsed(annotate(path, tmp_path / "out.vot"))
    said = {param.name: str(param.value) for param in table.params}
    assert said == {
        "lsbg.weights": "des-simulated",
        "lsbg.source": "tiles:é",
        "lsbg.select": '`g-i` < 1.4 & "x"\\x0a',
    }


@each_format
def test_read_again_and_replaced(serialization, tmp_path):
    path = write(a_table(), tmp_path / "in.vot", serialization)
    once = annotate(path, tmp_path / "once.vot")
    catalog = open_catalog(once)
    np.testing.assert_array_equal(catalog.read_column("p_lsbg", 0, 7), values_for(0, 7)[0])
    assert catalog.provenance() == PROVENANCE | {"select": '`g-i` < 1.4 & "x"\\x0a'}
    with pytest.raises(InputError, match="already has the column p_lsbg"):
        annotate(once, tmp_path / "twice.vot")
    twice = annotate(once, tmp_path / "twice.vot", overwrite_columns=True)
    assert twice.read_bytes() == once.read_bytes()


def test_every_other_byte_of_tabledata_survives(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(HAND_MADE)
    output = annotate(path, tmp_path / "out.xml").read_bytes()
    without = OURS.sub(b"", output)
    for probability, flags in zip(*values_for(0, 3), strict=True):
        cells = rf"(\s*)<v:TD>{probability!s}</v:TD>\s*<v:TD>{flags}</v:TD>".encode()
        without, count = re.subn(cells, b"", without, count=1)
        assert count == 1
    assert without.decode() == HAND_MADE
    same_values(parsed(path, "stars"), parsed(tmp_path / "out.xml", "stars"))


def test_precision_of_the_display_does_not_round_values(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(HAND_MADE)
    output = annotate(path, tmp_path / "out.xml")
    assert parsed(output, "stars").array["one"][0] == 1.23456789


def test_replaced_in_a_file_made_by_hand(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(HAND_MADE)
    once = annotate(path, tmp_path / "once.xml")
    twice = annotate(once, tmp_path / "twice.xml", overwrite_columns=True, provenance={})
    text = twice.read_bytes()
    assert b"lsbg." not in text
    assert text.count(b"<v:FIELD ") == once.read_bytes().count(b"<v:FIELD ")
    same_values(parsed(once, "stars"), parsed(twice, "stars"))


def test_nulls_are_read_as_missing(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(HAND_MADE)
    catalog = open_catalog(path)
    np.testing.assert_array_equal(catalog.read_column("N", 0, 3), [np.nan, 7, 8])
    np.testing.assert_array_equal(
        catalog.read_positions(0, 3), [[1.23456789, -5.5], [np.nan, np.nan], [359.9, 89]]
    )


@pytest.mark.parametrize("name", ["2", "stars", "t"])
def test_the_table_is_chosen_by_name_or_number(name, tmp_path):
    (tmp_path / "in.xml").write_text(HAND_MADE)
    assert open_catalog(tmp_path / "in.xml", table=name).row_count == 3


def test_several_tables_need_a_choice(tmp_path):
    path = tmp_path / "in.xml"
    table = HAND_MADE[
        HAND_MADE.index("    <v:TABLE ID") : HAND_MADE.index("  </v:RESOURCE>\n</v:V")
    ]
    second = table.replace('ID="t"', "").replace("stars", "more").replace('ID="one"', "")
    second = re.sub("(?s)<v:GROUP.*?</v:GROUP>", "", second)
    path.write_text(HAND_MADE.replace(table, table + second))
    with pytest.raises(InputError, match=r"several tables .* --table: 2 stars, 3 more"):
        open_catalog(path)
    output = annotate(path, tmp_path / "out.xml", table="more")
    assert len(parsed(output, "stars").fields) == 4
    assert len(parsed(output, "more").fields) == 6
    with pytest.raises(InputError, match="no single table 'none'; there are 1 inner, 2 stars"):
        open_catalog(path, table="none")


def test_radians_by_the_unit(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(HAND_MADE.replace('unit="deg"', 'unit="rad"').replace("-5.5", "-0.5"))
    assert open_catalog(path).read_positions(0, 1)[0, 0] == pytest.approx(70.7355, abs=1e-3)


@each_format
def test_no_rows(serialization, tmp_path):
    path = write(a_table()[:0], tmp_path / "in.vot", serialization)
    table = parsed(annotate(path, tmp_path / "out.vot"))
    assert [field.name for field in table.fields[-2:]] == ["p_lsbg", "flags_lsbg"]
    assert len(table.array) == 0


def replaced(old, new):
    assert old in HAND_MADE
    return HAND_MADE.replace(old, new)


ONE_TABLE = (
    HEADER.partition("<v:RESOURCE><v:T")[0]
    + "<v:TABLE>"
    + FIELDS.replace('ref="sys"', "")
    + "<v:DATA>"
)
THE_END = "</v:DATA></v:TABLE></v:RESOURCE></v:VOTABLE>"

BAD = {
    "html": ("<!DOCTYPE html><html><body>Log in</body></html>", "not a readable VOTable"),
    "other xml": ("<svg/>", "its root element is svg, not VOTABLE"),
    "nothing": ("<VOTABLE/>", "no TABLE in this VOTable"),
    "no columns": (
        "<VOTABLE><RESOURCE><TABLE name='a'/></RESOURCE></VOTABLE>",
        "the table a has no columns of its own",
    ),
    "no position": (replaced('name="RA"', 'name="R"'), "no table with positions"),
    "array": (replaced('name="RA"', 'name="RA" arraysize="2"'), "RA is not one real number a row"),
    "same names": (replaced('name="N"', 'name="RA"'), "2 columns are called RA"),
    "number": (replaced("<v:TD>359.9</v:TD>", "<v:TD>nine</v:TD>").replace(
        "<v:TD>7</v:TD>", "<v:TD>seven</v:TD>"), "not a readable VOTable"),
    "cells": (replaced("<v:TD>7</v:TD>", ""), "not a readable VOTable"),
    "entities": (
        replaced("<!-- a", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><!-- a'),
        "it declares XML entities",
    ),
    "elsewhere": (
        ONE_TABLE + '<v:BINARY2><v:STREAM href="file:///etc/passwd"/></v:BINARY2>' + THE_END,
        "its data are in another file",
    ),
    "fits": (
        ONE_TABLE
        + '<v:FITS><v:STREAM href="http://127.0.0.1:9/x.fits"/></v:FITS>' + THE_END,
        "its data are in another file",
    ),
    "base64": (
        ONE_TABLE
        + '<v:BINARY2><v:STREAM encoding="base64">AAAA*=</v:STREAM></v:BINARY2>' + THE_END,
        "its STREAM is not base64",
    ),
    "rest": (
        ONE_TABLE
        + '<v:BINARY2><v:STREAM encoding="base64">AAAA</v:STREAM></v:BINARY2>' + THE_END,
        "not a readable VOTable .bytes after its last row",
    ),
    "shared columns": (
        replaced("  </v:RESOURCE>\n</v:VOTABLE>",
                 '<v:TABLE ref="t"/>  </v:RESOURCE>\n</v:VOTABLE>'),
        "another table has the columns of t too",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_said_in_one_line(case, tmp_path):
    text, message = BAD[case]
    (tmp_path / "in.vot").write_text(text)
    options = {"table": "t"} if case in ("shared columns", "array") else {}
    with pytest.raises(InputError, match=message) as error:
        open_catalog(tmp_path / "in.vot", **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", np.linspace(0.02, 0.99, 12))
@pytest.mark.parametrize("serialization", ["tabledata", "binary2"])
def test_a_truncated_file_is_refused(serialization, share, tmp_path):
    path = write(a_table(30), tmp_path / "in.vot", serialization)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"in\.vot: not a readable VOTable"):
        open_catalog(path)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_is_refused_or_survived(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    serialization = data.draw(st.sampled_from(FORMATS))
    content = bytearray(write(a_table(4), folder / "in.vot", serialization).read_bytes())
    place = data.draw(st.integers(100, len(content) - 1))
    stop = place + data.draw(st.integers(0, 40))
    content[place:stop] = data.draw(st.binary(max_size=6))
    (folder / "in.vot").write_bytes(content)
    try:
        annotate(folder / "in.vot", folder / "out.vot")
    except InputError as error:
        assert "\n" not in str(error)
        assert not (folder / "out.vot").exists()


def columns_of(rows):
    def masked(elements, dtype):
        return st.tuples(
            st.lists(elements, min_size=rows, max_size=rows),
            st.lists(st.booleans(), min_size=rows, max_size=rows),
        ).map(lambda drawn: MaskedColumn(np.array(drawn[0], dtype), mask=drawn[1]))

    # astropy cuts characters beyond the basic plane in two where it writes BINARY.
    known = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"], max_codepoint=0xFFFF)
    texts = st.text(known, max_size=5)
    return st.one_of(
        masked(st.floats(), "f8"),
        masked(st.floats(width=32), "f4"),
        masked(st.integers(0, 2**62), "i8"),
        masked(st.integers(0, 2**15 - 1), "i2"),
        st.lists(texts, min_size=rows, max_size=rows).map(lambda t: np.array(t, "U5")),
        st.lists(st.booleans(), min_size=rows, max_size=rows).map(np.array),
        st.lists(st.tuples(st.floats(), st.floats()), min_size=rows, max_size=rows).map(
            lambda pairs: np.array(pairs, "f8").reshape(rows, 2)
        ),
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_table(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    rows = data.draw(st.integers(1, 5))
    table = Table({"ra": np.arange(rows) * 1.0, "dec": np.arange(rows) * 1.0})
    for number in range(data.draw(st.integers(0, 9))):
        table[f"c{number}"] = data.draw(columns_of(rows))
    path = write(table, folder / "in.vot", data.draw(st.sampled_from(FORMATS)))
    after = parsed(annotate(path, folder / "out.vot"))
    same_values(parsed(path), after)
    probability, flags = values_for(0, rows)
    np.testing.assert_array_equal(after.array["p_lsbg"].filled(np.nan), probability)
    assert after.array["flags_lsbg"].tolist() == flags.tolist()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed")
def test_stilts_finds_no_fault(tmp_path):
    path = write(a_table()["ra", "dec", "id", "name", "aper"], tmp_path / "in.vot", "binary2")
    output = annotate(path, tmp_path / "out.vot")
    done = subprocess.run(
        ["stilts", "votlint", str(output)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_streams_that_gzip_has_compressed(tmp_path):
    plain = write(a_table()["ra", "dec", "id", "name", "aper"], tmp_path / "in.vot", "binary2")
    content = plain.read_bytes()
    begin = content.index(b">", content.index(b"<STREAM")) + 1
    stop = content.index(b"</STREAM>")
    packed = base64.b64encode(gzip.compress(base64.b64decode(content[begin:stop]), mtime=0))
    tag = content[:begin].replace(b'encoding="base64"', b'encoding="gzip"')
    (tmp_path / "packed.vot").write_bytes(tag + packed + content[stop:])
    expected = annotate(plain, tmp_path / "out.vot").read_bytes()
    output = annotate(tmp_path / "packed.vot", tmp_path / "packed_out.vot").read_bytes()
    begin = output.index(b">", output.index(b"<STREAM")) + 1
    stop = output.index(b"</STREAM>")
    assert b'encoding="gzip"' in output[:begin]
    rows = base64.b64encode(gzip.decompress(base64.b64decode(output[begin:stop])))
    unpacked = output[:begin].replace(b'encoding="gzip"', b'encoding="base64"')
    begin, end = expected.index(b">", expected.index(b"<STREAM")) + 1, expected.index(b"</STREAM>")
    assert (
        unpacked + rows + output[stop:]
        == expected[:begin] + b"".join(expected[begin:end].split()) + expected[end:]
    )
    damaged = tag + base64.b64encode(b"no gzip") + content[content.index(b"</STREAM>") :]
    (tmp_path / "bad.vot").write_bytes(damaged)
    with pytest.raises(InputError, match="its STREAM is not gzip"):
        open_catalog(tmp_path / "bad.vot")
