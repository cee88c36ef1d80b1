"""Positions in every unit, by every name, judged by their values: right degrees, or one line."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalogs import InputError, open_catalog
from catalogs.position_names import FAMILIES
from catalogs.position_units import read_unit
from catalogs.positions import ColumnInfo, find_positions
from catalogs.sky_extent import SkyExtent, describe_extent, position_notes, position_warnings
from catalogs.sphere import arcseconds_between, on_sphere


def number(unit=None, ucd=None):
    return ColumnInfo(is_number=True, is_text=False, unit=unit, ucd=ucd)


def parquet(path, columns, units=None, ucds=None):
    """Write columns with units and UCDs in the fields' metadata."""
    notes = [("unit", units or {}), ("ucd", ucds or {})]
    fields, arrays = [], []
    for name, values in columns.items():
        metadata = {key: of[name] for key, of in notes if name in of}
        arrays.append(pa.array(values))
        fields.append(pa.field(name, arrays[-1].type, metadata=metadata or None))
    pq.write_table(pa.table(arrays, schema=pa.schema(fields)), path)
    return path


def positions_of(path, **options):
    catalog = open_catalog(path, **options)
    return catalog.read_positions(0, catalog.row_count)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((-1e-9, 0), (360 - 1e-9, 0)),
        ((-180, 5), (180, 5)),
        ((361, -90), (1, -90)),
        ((360, 90), (0, 90)),
        ((-360, 1), (0, 1)),
        ((-1e-30, 1), (0, 1)),
        ((719.5, 1), (359.5, 1)),
        ((-0.0, -0.0), (0, 0)),
        ((0.1, 90.0001), None),
        ((0.1, -91), None),
        ((np.inf, 0), None),
        ((np.nan, 0), None),
        ((5, np.nan), None),
        ((-9999, 0), None),
        ((1e30, 0), None),
    ],
)
def test_right_ascension_is_taken_modulo_360(position, expected):
    found = on_sphere(np.array([position], float))
    np.testing.assert_allclose(found, [expected or (np.nan, np.nan)], atol=1e-12)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@example(-5e-324, 0.0)
@given(st.floats(-3600, 3600), st.floats(-90, 90))
def test_every_right_ascension_is_the_same_place(ra, dec):
    (found,) = on_sphere(np.array([[ra, dec]]))
    assert 0 <= found[0] < 360 and found[1] == dec
    place = SkyCoord(ra, dec, unit="deg").cartesian.xyz.value
    np.testing.assert_allclose(SkyCoord(*found, unit="deg").cartesian.xyz.value, place, atol=1e-12)
    if 0 <= ra < 360:
        assert found[0] == ra


def test_negative_right_ascensions_of_a_file(shared):
    folder = shared / "cases" / "catalogs"
    np.testing.assert_allclose(
        positions_of(folder / "neg_ra.fits"), positions_of(folder / "unit_DEG.fits"), atol=1e-9
    )


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["deg", "DEG", "Deg", "[deg]", "(deg)", "Degrees", "[DEGREES]", "degree"], "deg"),
        (["°", "decimal degrees", '"deg"', " deg "], "deg"),
        (["rad", "RAD", "radian", "Radians", "[rad]"], "rad"),
        (["h", "H", "hr", "hour", "hours", "hourangle", "[h]"], "hourangle"),
        (['"h:m:s"', "h:m:s", "hh:mm:ss", "hh:mm:ss.sss", "HMS", "hh mm ss"], "h:m:s"),
        (['"d:m:s"', "d:m:s", "dd:mm:ss", "dd:mm:ss.ss", "dms"], "d:m:s"),
        (["arcsec", "ARCSEC"], "arcsec"),
        (["Jy", "s", "pix", "", "m"], None),
    ],
)  # fmt: skip
def test_units_in_any_case_and_bracket(texts, unit):
    assert [read_unit(text) for text in texts] == [unit] * len(texts)


def test_hours_are_for_right_ascension_alone(tmp_path):
    columns = {"RA": [2.0, 23.5], "DEC": [-40.0, 40.0]}
    expected = [[30.0, -40.0], [352.5, 40.0]]
    for units in ({"RA": "h", "DEC": "deg"}, {"RA": "hourangle"}, {"RA": "HOURS", "DEC": "[deg]"}):
        path = parquet(tmp_path / "in.parquet", columns, units)
        np.testing.assert_allclose(positions_of(path), expected)
        assert open_catalog(path).position_columns.unit == "hourangle and deg"
    path = parquet(tmp_path / "in.parquet", columns)
    for unit in ("hourangle", "h", "hours"):
        np.testing.assert_allclose(positions_of(path, position_unit=unit), expected)
    both = parquet(tmp_path / "in.parquet", columns, {"RA": "h", "DEC": "h"})
    with pytest.raises(InputError, match="DEC has the unit 'h'; hours are for right ascensions"):
        open_catalog(both)
    with pytest.raises(InputError, match="--position-unit Jy is no angle; say deg, rad or hour"):
        open_catalog(both, position_unit="Jy")


def test_a_sky_coordinate_of_astropy_in_hours(tmp_path):
    sky = SkyCoord([10.5, 350.25], [-0.25, 80], unit="deg")
    table = Table({"RA": sky.ra.to(u.hourangle), "DEC": sky.dec})
    table.write(tmp_path / "in.ecsv")
    np.testing.assert_allclose(
        positions_of(tmp_path / "in.ecsv"), np.stack([sky.ra.deg, sky.dec.deg], axis=1)
    )
    Table({"sky_centroid": sky}).write(tmp_path / "sky.ecsv")
    np.testing.assert_allclose(positions_of(tmp_path / "sky.ecsv")[:, 0], sky.ra.deg)
    Table({"place": sky}).write(tmp_path / "place.ecsv")
    assert open_catalog(tmp_path / "place.ecsv").position_columns.ra == "place.ra"


STYLES = [
    ("{h:02d}:{m:02d}:{s:07.4f}", "{sign}{d:02d}:{n:02d}:{t:06.3f}"),
    ("{h:02d} {m:02d} {s:07.4f}", "{sign}{d:02d} {n:02d} {t:06.3f}"),
    ("{h:d}h{m:02d}m{s:07.4f}s", "{sign}{d:d}d{n:02d}m{t:06.3f}s"),
    ("{h:02d}H {m:d}m {s:.4f}S", "{sign}{d:02d}° {n:02d}' {t:06.3f}\""),
]
SKY = SkyCoord([0.5, 14.9, 180, 359.9, 200], [-0.25, 0.5, -89.5, 45, 12.3456], unit="deg")


def sexagesimal(style):
    rows = []
    for place in SKY:
        hms, dms = place.ra.hms, place.dec.signed_dms
        parts = {"h": int(hms.h), "m": int(hms.m), "s": hms.s}
        parts |= {"d": int(dms.d), "n": int(dms.m), "t": dms.s, "sign": "-+"[int(dms.sign > 0)]}
        rows.append([text.format(**parts) for text in style])
    return [*map(list, zip(*rows, strict=True))]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("units", [{}, {"RA": "h:m:s", "DEC": "d:m:s"}, {"RA": "hourangle"}])
def test_sexagesimal_texts(tmp_path, style, units):
    ra, dec = sexagesimal(style)
    columns = {"RA": [*ra, None, ""], "DEC": [*dec, "+00 00 00", None]}
    found = positions_of(parquet(tmp_path / "in.parquet", columns, units))
    expected = np.stack([SKY.ra.deg, SKY.dec.deg], axis=1)
    np.testing.assert_allclose(found[:5], expected, atol=1e-6)
    assert np.isnan(found[5:]).all()
    angles = Angle([text.lower() for text in ra], u.hourangle).deg
    np.testing.assert_allclose(found[:5, 0], angles, atol=1e-9)


def test_sexagesimal_texts_of_every_format(tmp_path):
    ra, dec = sexagesimal(STYLES[1])
    table = Table({"RAJ2000": ra, "DEJ2000": dec})
    expected = np.stack([SKY.ra.deg, SKY.dec.deg], axis=1)
    table.write(tmp_path / "in.ecsv")
    from_table(table).to_xml(str(tmp_path / "in.vot"))
    columns = [fits.Column(name, "14A", array=table[name]) for name in table.colnames]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    for name in ("in.ecsv", "in.vot", "in.fits"):
        np.testing.assert_allclose(positions_of(tmp_path / name), expected, atol=1e-6)


def test_decimal_texts_are_numbers(tmp_path):
    columns = {"RA": ["150.5", " 10 ", "", "-1"], "DEC": ["-2.25", "1e1", "5", "\u22123"]}
    found = positions_of(parquet(tmp_path / "in.parquet", columns))
    expected = [[150.5, -2.25], [10, 10], [np.nan, np.nan], [359, -3]]
    np.testing.assert_array_equal(found, expected)


def test_text_beside_numbers(tmp_path):
    columns = {"RA": ["02:00:00"], "DEC": [-40.5]}
    np.testing.assert_allclose(positions_of(parquet(tmp_path / "a", columns)), [[30, -40.5]])


@pytest.mark.parametrize(
    ("ra", "dec", "units", "message"),
    [
        (
            "25:00:00",
            "1",
            {},
            r"RA holds sexagesimal texts that may be hours or degrees \(unit not",
        ),
        ("10:00:00", "1", {"RA": "deg"}, r"hours or degrees \(unit deg\); say --position-unit"),
        ("10:61:00", "1", {}, r"RA is '10:61:00' in row 1, which is no position in h:m:s"),
        ("10:00:00", "abc", {}, "DEC is 'abc' in row 1, which is no position in deg"),
        ("10.5", "1", {"RA": "h:m:s"}, "RA has the unit h:m:s, but holds decimal numbers"),
        ("10:00:00", "1:0:0", {"DEC": "h:m:s"}, "hours are for right ascensions alone"),
        ("10:00:00", "1:0:0", {"DEC": "rad"}, "has the unit rad; say --position-unit hourangle or"),
    ],
)
def test_texts_that_leave_a_doubt(tmp_path, ra, dec, units, message):
    path = parquet(tmp_path / "in.parquet", {"RA": [ra], "DEC": [dec]}, units)
    with pytest.raises(InputError, match=message) as error:
        positions_of(path)
    assert str(error.value).isprintable()


def test_the_doubt_ends_with_the_unit_that_the_user_says(tmp_path):
    path = parquet(tmp_path / "in.parquet", {"RA": ["10:30:00"], "DEC": ["1:30:00"]}, {"RA": "deg"})
    np.testing.assert_allclose(positions_of(path, position_unit="deg"), [[10.5, 1.5]])
    np.testing.assert_allclose(positions_of(path, position_unit="hourangle"), [[157.5, 1.5]])


def test_a_damaged_text_is_named_by_its_row(tmp_path):
    rows = 30_000
    columns = {"RA": ["1:00:00"] * rows, "DEC": ["2.5"] * rows}
    columns["RA"][20_500] = "1:00:xx"
    catalog = open_catalog(parquet(tmp_path / "in.parquet", columns))
    with pytest.raises(InputError, match=r"in\.parquet: RA is '1:00:xx' in row 20501"):
        catalog.read_positions(20_000, 30_000)


NAMES = [
    ("ra_1", "dec_1"), ("RA_1", "DEC_1"), ("ALPHA_J2000_1", "DELTA_J2000_1"),
    ("RAdeg", "DEdeg"), ("ra_deg", "dec_deg"), ("right_ascension", "declination"),
    ("TARGET_RA", "TARGET_DEC"), ("RA_J2000", "DEC_J2000"), ("raStack", "decStack"),
    ("raMean", "decMean"), ("sky_centroid.ra", "sky_centroid.dec"),
    ("ALPHAPEAK_J2000", "DELTAPEAK_J2000"), ("coord_ra", "coord_dec"), ("i_ra", "i_dec"),
    ("ra2000", "dec2000"), ("RA_ICRS", "DE_ICRS"), ("X_WORLD", "Y_WORLD"),
    ("_RAJ2000", "_DEJ2000"), ("alpha_j2000", "delta_j2000"), ("Ra", "Dec"),
]  # fmt: skip


@pytest.mark.parametrize("pair", NAMES)
def test_names_in_use(pair):
    columns = {name: number("deg") for name in ("id", "ra_2", "dec_2", *pair, "mag")}
    found = find_positions(columns, "here")
    assert (found.ra, found.dec, found.notes) == (*pair, ())


def test_the_page_lists_every_name_in_its_order():
    page = (Path(__file__).parent.parent / "docs" / "positions.md").read_text()
    table = page.partition("<!-- names: begin -->")[2].partition("<!-- names: end -->")[0]
    lines = [re.findall(r"`([^`]+)`/`([^`]+)`", line) for line in table.splitlines()]
    assert [tuple(line) for line in lines if line] == [*FAMILIES]


PAIRS = {"RA": [10.0, 20.0, 30.0], "DEC": [1.0, 2.0, 3.0]}


def with_second(offset):
    second = {"ALPHAWIN_J2000": PAIRS["RA"], "DELTAWIN_J2000": np.array(PAIRS["DEC"]) + offset}
    return PAIRS | second


def test_two_pairs_that_agree(tmp_path):
    catalog = open_catalog(parquet(tmp_path / "in.parquet", with_second(0.5 / 3600)))
    columns = catalog.position_columns
    assert (columns.ra, columns.dec) == ("ALPHAWIN_J2000", "DELTAWIN_J2000")
    assert columns.notes == (
        "ALPHAWIN_J2000/DELTAWIN_J2000 taken; RA/DEC agree within 0.5 arcsec in the 3 rows looked "
        "at",
    )


def test_two_pairs_that_differ(tmp_path):
    path = parquet(tmp_path / "in.parquet", with_second(np.array([0, 7, 2]) / 3600))
    with pytest.raises(InputError) as error:
        open_catalog(path)
    assert str(error.value) == (
        f"{path}: several positions that differ, ALPHAWIN_J2000/DELTAWIN_J2000 and RA/DEC by 2 "
        "arcsec (median) and up to 7 (row 2); choose with --ra and --dec"
    )
    assert open_catalog(path, ra="RA", dec="DEC").position_columns.ra == "RA"
    main = {"RA": "pos.eq.ra;meta.main", "DEC": "pos.eq.dec;meta.main"}
    path = parquet(tmp_path / "in.parquet", with_second(1.0), ucds=main)
    columns = open_catalog(path).position_columns
    assert columns.ra == "RA" and "UCDs call main" in columns.notes[0]


def test_the_pairs_of_a_file(shared):
    columns = open_catalog(shared / "cases" / "catalogs" / "two_pairs.fits").position_columns
    assert columns.ra == "ALPHA_J2000" and "agree within 0 arcsec" in columns.notes[0]


def test_numbers_win_over_texts(tmp_path, shared):
    texts = {"RAJ2000": ["00 40 00.0"] * 3, "DEJ2000": ["+01 00 00"] * 3}
    path = parquet(
        tmp_path / "in.parquet", texts | {"_RAJ2000": PAIRS["RA"], "_DEJ2000": PAIRS["DEC"]}
    )
    assert open_catalog(path).position_columns.ra == "_RAJ2000"
    found = positions_of(path, ra="RAJ2000", dec="DEJ2000")
    np.testing.assert_allclose(found, [[10, 1]] * 3)
    catalog = open_catalog(shared / "cases" / "catalogs" / "vizier_default.vot")
    assert catalog.position_columns.ra == "_RAJ2000"
    np.testing.assert_allclose(catalog.read_positions(0, 1), [[32.132356226, -40.109097955]])


UCDS = {
    "A": "pos.eq.ra;meta.main",
    "B": "pos.eq.dec;meta.main",
    "C": "pos.eq.ra",
    "D": "pos.eq.dec",
}


def test_ucds_decide_where_names_do_not(tmp_path):
    columns = dict(zip("ABCD", ([10.0], [1.0], [20.0], [2.0]), strict=True))
    parquet(tmp_path / "in.parquet", columns, ucds=UCDS)
    table = Table(columns)
    for name, ucd in UCDS.items():
        table[name].info.meta = {"ucd": ucd}
    table.write(tmp_path / "in.ecsv")
    votable = from_table(table)
    for field in votable.get_first_table().fields:
        field.ucd = UCDS[field.name]
    votable.to_xml(str(tmp_path / "in.vot"))
    hdu = fits.BinTableHDU.from_columns([fits.Column(n, "D", array=v) for n, v in columns.items()])
    for n, name in enumerate(columns, 1):
        hdu.header[f"TUCD{n}"] = UCDS[name].upper() if name == "A" else UCDS[name]
    hdu.writeto(tmp_path / "in.fits")
    for name in ("in.parquet", "in.ecsv", "in.vot", "in.fits"):
        found = open_catalog(tmp_path / name).position_columns
        assert (found.ra, found.dec) == ("A", "B"), name
    old = {"x": number(ucd="POS_EQ_RA_MAIN"), "y": number(ucd="POS_EQ_DEC_MAIN"), "z": number()}
    assert find_positions(old, "here").ra == "x"
    one = {"x": number(ucd="pos.eq.ra"), "y": number(ucd="pos.eq.dec")}
    assert find_positions(one, "here").dec == "y"


def extent_of(positions):
    extent = SkyExtent()
    for piece in np.array_split(np.asarray(positions, float), 3):
        extent.add(piece)
    return extent


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.floats(0, 359.99), st.floats(0.01, 300), st.integers(2, 60), st.integers(0, 99))
def test_the_arc_that_positions_span(start, width, count, seed):
    """It begins and ends at positions, holds all, and leaves out the widest gap."""
    rng = np.random.default_rng(seed)
    ra = np.sort((start + width * rng.random(count)) % 360)
    span = extent_of(np.stack([ra, rng.uniform(-80, 80, count)], axis=1)).range()
    inside = (ra - span.ra[0]) % 360
    reach = (span.ra[1] - span.ra[0]) % 360
    assert {*span.ra} <= {*ra.tolist()} and (inside <= reach + 1e-9).all()
    widest = np.diff(ra, append=ra[0] + 360).max()
    assert reach <= 360 - widest + 0.2  # gaps are told apart by bins of 0.1 degrees


def test_the_area_that_positions_span():
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(-1, 1, 5000) % 360, rng.uniform(59, 61, 5000)
    span = extent_of(np.stack([ra, dec], axis=1)).range()
    assert span.ra[0] > 358.9 and span.ra[1] < 1.1
    assert span.area == pytest.approx(2.0, rel=0.05)  # 2 degrees x 2 degrees at Dec 60
    whole = np.stack(
        [rng.uniform(0, 360, 200_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 200_000)))]
    )
    assert extent_of(whole.T).range().area == pytest.approx(41253, rel=0.06)
    assert extent_of([[np.nan, np.nan]]).range() is None
    assert describe_extent(extent_of([[np.nan, np.nan]])) == []
    line = describe_extent(extent_of(np.stack([ra, dec], axis=1)))[0]
    assert line.startswith("sky: RA 359.0") and "(across 0), Dec 59.0" in line
    assert line.endswith("about 2 square degrees")


def warned(ra, dec, **columns):
    columns = {"RA": number(columns.get("unit")), "DEC": number(columns.get("unit"))}
    found = find_positions(columns, "here")
    return position_warnings(found, extent_of(on_sphere(np.stack([ra, dec], axis=1))))


def test_units_that_nothing_states_are_judged_by_the_values():
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 50), rng.uniform(-80, 80, 50)
    assert warned(ra, dec) == []
    assert "--position-unit rad" in warned(np.radians(ra), np.radians(dec))[0]
    assert "--position-unit rad" in warned(np.radians(ra) - np.pi, np.radians(dec))[0]
    assert warned(ra / 15, dec) == []  # degrees of a small field look the same
    assert warned(np.radians(ra), np.radians(dec), unit="deg") == []
    assert warned(ra[:9] / 60, dec[:9] / 90) == []  # too few to tell
    known = find_positions({"ALPHA_J2000": number(), "DELTA_J2000": number()}, "here")
    assert not known.is_assumed


@pytest.mark.parametrize(
    ("ra", "count", "is_noted"),
    [
        ((0, 24), 2000, True),
        ((0, 24), 999, False),
        ((2, 13), 2000, False),
        ((0, 25), 2000, False),
        ((-5, 8), 2000, False),
    ],
)
def test_hours_of_large_catalogs_are_a_note(ra, count, is_noted):
    rng = np.random.default_rng(6)
    positions = np.stack([rng.uniform(*ra, count), rng.uniform(-80, 80, count)], axis=1)
    found = find_positions({"RA": number(None), "DEC": number(None)}, "here")
    assert position_warnings(found, extent_of(on_sphere(positions))) == []
    notes = position_notes(found, extent_of(on_sphere(positions)))
    assert ["--position-unit hourangle" in note for note in notes] == [True] * is_noted


def test_radians_without_a_unit(shared):
    catalog = open_catalog(shared / "cases" / "catalogs" / "radians_nounit.fits")
    extent = extent_of(catalog.read_positions(0, catalog.row_count))
    assert "RA and DEC have no unit" in position_warnings(catalog.position_columns, extent)[0]
    said = open_catalog(shared / "cases" / "catalogs" / "radians_nounit.fits", position_unit="rad")
    right = open_catalog(shared / "cases" / "catalogs" / "unit_DEG.fits")
    distance = arcseconds_between(said.read_positions(0, 20), right.read_positions(0, 20))
    assert distance.max() < 1e-6
