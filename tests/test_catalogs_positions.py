"""Position columns are found by name and unit, or refused in one line."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import InputError, check_output, lsbg_columns, open_catalog
from catalogs.positions import ColumnInfo, find_positions

PAIRS = [
    ("RA", "DEC"),
    ("ra", "dec"),
    ("ALPHA_J2000", "DELTA_J2000"),
    ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
    ("ALPHA_SKY", "DELTA_SKY"),
    ("X_WORLD", "Y_WORLD"),
    ("world_centroid_alpha", "world_centroid_delta"),
    ("RAJ2000", "DEJ2000"),
    ("RA_ICRS", "DE_ICRS"),
    ("coord_ra", "coord_dec"),
]


def number(unit=None):
    return ColumnInfo(is_number=True, is_text=False, unit=unit)


def table(*names, unit="deg"):
    return {name: number(unit) for name in ("ID", *names, "MAG_AUTO")}


@pytest.mark.parametrize("pair", PAIRS)
def test_known_names(pair):
    found = find_positions(table(*pair), "here")
    assert (found.ra, found.dec, found.unit) == (*pair, "deg")


def test_sourceextractor_writes_several_of_its_own():
    names = ["X_WORLD", "Y_WORLD", "ALPHAWIN_J2000", "DELTAWIN_J2000", "ALPHA_J2000", "DELTA_J2000"]
    assert find_positions(table(*names), "here").ra == "ALPHA_J2000"


@pytest.mark.parametrize(
    "names",
    [
        ("RA", "DEC", "ALPHA_J2000", "DELTA_J2000"),
        ("RA", "ra", "DEC", "dec"),
        ("RA", "DEC", "ra"),
    ],
)
def test_two_candidates(names):
    with pytest.raises(InputError, match=r"several positions.*--ra and --dec"):
        find_positions(table(*names), "here")
    assert find_positions(table(*names), "here", ra="RA", dec="DEC").ra == "RA"


def test_spellings_of_one_unit_are_the_same():
    columns = {"RA": number("deg"), "DEC": number("degrees")}
    assert find_positions(columns, "here").unit == "deg"


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("deg", 1), ("degrees", 1), ("rad", 180 / np.pi), ("arcsec", 1 / 3600), ("", 1)],
)
def test_units(unit, factor):
    found = find_positions(table("RA", "DEC", unit=unit or None), "here")
    np.testing.assert_allclose(
        found.to_degrees(np.array([1.0]), np.array([0.5])), [[factor, factor / 2]]
    )


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {}, "no position column"),
        (table("x", "y"), {}, r"no position column.*ID, x, y.*--ra and --dec"),
        (table("RA", "DEC"), {"ra": "RA"}, "both --ra and --dec"),
        (table("RA", "DEC"), {"ra": "RAA", "dec": "DEC"}, "no column RAA; there are RA"),
        (table("RA", "DEC", unit="Jy"), {}, "'Jy', which is no angle"),
        (table("RA", "DEC", unit="d:m:s"), {}, "which is no angle"),
        (table("RA", "DEC", unit="h"), {}, "DEC has the unit 'h'; hours are for right ascensions"),
        ({"RA": number("deg"), "DEC": number("rad")}, {}, "different units"),
        ({"RA": ColumnInfo(False, False, None), "DEC": number()}, {}, "not one real number"),
    ],
)
def test_refusals(columns, options, message):
    with pytest.raises(InputError, match=message) as caught:
        find_positions(columns, "here", **options)
    assert "\n" not in str(caught.value)


def write(path, ra, dec, unit=None):
    fields = [
        pa.field(name, pa.float64(), metadata={"unit": unit} if unit else None)
        for name in ("coord_ra", "coord_dec")
    ]
    pq.write_table(pa.table([pa.array(ra), pa.array(dec)], schema=pa.schema(fields)), path)
    return path


def test_rubin_degrees_or_radians(tmp_path):
    degrees = open_catalog(write(tmp_path / "d.parquet", [150.0, 1.0], [2.0, 1.0]))
    assert degrees.read_positions(0, 1).tolist() == [[150.0, 2.0]]
    told = open_catalog(write(tmp_path / "r.parquet", [1.0], [0.5], "rad"))
    np.testing.assert_allclose(told.read_positions(0, 1), np.degrees([[1.0, 0.5]]))
    silent = write(tmp_path / "s.parquet", [1.0], [0.5])
    with pytest.raises(InputError, match="--position-unit rad"):
        open_catalog(silent)
    asked = open_catalog(silent, position_unit="deg")
    assert asked.read_positions(0, 1).tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    ("names", "style", "expected"),
    [
        (["RA", "DEC", "MAG_AUTO_G"], "auto", "P_LSBG"),
        (["ra", "dec", "mag_auto"], "auto", "p_lsbg"),
        (["coord_ra", "coord_dec", "objectId", "psfFlux"], "auto", "lsbgProbability"),
        (["ra", "dec"], "upper", "P_LSBG"),
        (["RA", "p_lsbg"], "auto", "P_LSBG"),
        ([], "auto", "P_LSBG"),
    ],
)
def test_naming_style(names, style, expected):
    assert lsbg_columns(names, style)[0].name == expected


def test_unknown_style():
    with pytest.raises(InputError, match="auto, upper, lower, rubin"):
        lsbg_columns(["RA"], "camel")


def test_outputs_that_are_refused(tmp_path):
    source = tmp_path / "in.fits"
    source.touch()
    (tmp_path / "link.fits").symlink_to(source)
    (tmp_path / "there.fits").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious.txt").touch()
    for output, overwrite, message in [
        (source, True, "is the input"),
        (tmp_path / "link.fits", True, "is the input"),
        (tmp_path / "there.fits", False, "--overwrite"),
        (tmp_path / "no" / "out.fits", False, "folder does not exist"),
        (tmp_path / "folder", True, "is a folder"),
        (tmp_path, True, "overlaps"),
    ]:
        with pytest.raises(InputError, match=message):
            check_output(source, output, overwrite)
    with pytest.raises(InputError, match="holds other files"):
        (tmp_path / "parts").mkdir()
        check_output(tmp_path / "parts", tmp_path / "folder", True)
    check_output(source, tmp_path / "there.fits", True)
