"""Whole numbers, texts, logical values and elements in cuts: exact, in every format."""

import itertools
import operator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from older import write_if_possible

from catalogs import InputError, find_selection, open_catalog
from catalogs._expression import Condition
from catalogs.exact import ColumnKind, integers, kind_of, read_exact

IDS = [2**53 + n for n in range(-2, 3)] + [36407050963681538, 2**63 - 1, -(2**63), 0, -7]
ROWS = len(IDS)
FLAGS = [0, 1, 2, 3, 4, 5, 6, 7, 8, -1]
NULL = [False] * 8 + [True, False]
NAMES = ["DES0208-4000", "x", "é b", "", "x ", "A", "a", "x", "y", "it's"]
GOOD = [True, False] * 5
APER = np.arange(3.0 * ROWS).reshape(ROWS, 3)


def write_fits(path):
    ids = fits.Column("ID", "K", array=np.array(IDS))
    columns = [
        fits.Column("RA", "D", array=np.arange(ROWS) + 0.5),
        fits.Column("DEC", "D", array=np.zeros(ROWS)),
        ids,
        fits.Column("FLAGS", "I", array=np.where(NULL, -99, FLAGS), null=-99),
        fits.Column("NAME", "14A", array=np.array([name.encode() for name in NAMES])),
        fits.Column("GOOD", "L", array=np.array(GOOD)),
        fits.Column("APER", "3E", array=APER.astype("f4")),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)


def write_parquet(path):
    table = pa.table(
        {
            "RA": np.arange(ROWS) + 0.5,
            "DEC": np.zeros(ROWS),
            "ID": pa.array(IDS, pa.int64()),
            "FLAGS": pa.array(FLAGS, pa.int16(), mask=np.array(NULL)),
            "NAME": pa.array([name or None for name in NAMES]).dictionary_encode(),
            "GOOD": pa.array(GOOD),
            "APER": pa.array(APER.tolist(), pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, path, row_group_size=3)


def as_table():
    table = Table({"RA": np.arange(ROWS) + 0.5, "DEC": np.zeros(ROWS)})
    table["ID"] = np.array(IDS)
    table["FLAGS"] = MaskedColumn(FLAGS, mask=NULL, dtype="i2")
    table["NAME"] = NAMES
    table["GOOD"] = GOOD
    table["APER"] = APER.astype("f4")
    return table


def write_votable(serialization):
    def write(path):
        from_table(as_table()).to_xml(str(path), tabledata_format=serialization)

    return write


def write_ecsv(path):
    as_table().write(path, format="ascii.ecsv")


WRITERS = {
    "fits": write_fits,
    "parquet": write_parquet,
    "votable": write_votable("tabledata"),
    "binary2": write_votable("binary2"),
    "ecsv": write_ecsv,
}


@pytest.fixture(scope="module", params=WRITERS)
def catalog(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("exact") / "in"
    WRITERS[request.param](path)
    return open_catalog(path)


def known(values):
    """What Python says of rows, where no value is missing."""
    return [bool(value) and not null for value, null in zip(values, NULL, strict=True)]


CUTS = {
    "ID == 36407050963681538": [i == 36407050963681538 for i in IDS],
    "ID == 9007199254740993": [i == 2**53 + 1 for i in IDS],
    "ID == 9007199254740993.0": [i == 2**53 + 1 for i in IDS],
    "ID > 9007199254740992": [i > 2**53 for i in IDS],
    "9007199254740991 <= ID < 9007199254740993.5": [2**53 - 1 <= i < 2**53 + 1.5 for i in IDS],
    "ID + 1 > ID": [True] * ROWS,
    "ID * 3 == 27021597764222979": [i * 3 == 27021597764222979 for i in IDS],
    "ID * ID * ID < -1": [i**3 < -1 for i in IDS],
    "ID ** 3 % 7 == 1": [i**3 % 7 == 1 for i in IDS],
    "-ID > 0": [-i > 0 for i in IDS],
    "abs(ID) == 9223372036854775808": [abs(i) == 2**63 for i in IDS],
    "ID // -1 > 0": [i // -1 > 0 for i in IDS],
    "ID % 10 == 3": [i % 10 == 3 for i in IDS],
    "ID // 10 == -1": [i // 10 == -1 for i in IDS],
    "ID in (9007199254740993, -7, 'x' == 'y')": InputError,
    "ID in (9007199254740993, -7)": [i in (2**53 + 1, -7) for i in IDS],
    f"ID in ({', '.join(map(str, range(2**53 - 1, 2**53 + 40, 2)))})": [
        i in range(2**53 - 1, 2**53 + 40, 2) for i in IDS
    ],
    "ID & 1 == 1": [i & 1 == 1 for i in IDS],
    "ID[0]": [i & 1 == 1 for i in IDS],
    "ID[63]": [i < 0 for i in IDS],
    "~ID >= 0": [~i >= 0 for i in IDS],
    "ID ^ 1 == 9007199254740993": [i ^ 1 == 2**53 + 1 for i in IDS],
    "ID << 4 == 144115188075855888": [i << 4 == 144115188075855888 for i in IDS],
    "ID >> 52 == 2": [i >> 52 == 2 for i in IDS],
    "max(ID, 5) == 5": [max(i, 5) == 5 for i in IDS],
    "(FLAGS & 4) == 0": known([f & 4 == 0 for f in FLAGS]),
    "FLAGS & 5": InputError,
    "FLAGS | 1 == 3": known([f | 1 == 3 for f in FLAGS]),
    "FLAGS[2]": known([f & 4 for f in FLAGS]),
    "not FLAGS[2]": known([not f & 4 for f in FLAGS]),
    "FLAGS % 2 == 0 and ID < 0": [n and f and i < 0 for n, f, i in zip(
        [not null for null in NULL], [f % 2 == 0 for f in FLAGS], IDS, strict=True)],
    "6 // FLAGS >= 0": known([f and 6 // f >= 0 for f in FLAGS]),
    "not 6 // FLAGS >= 0": known([f and 6 // f < 0 for f in FLAGS]),
    "FLAGS << -1 == 0 or 1 >> FLAGS == 1": known([f == 0 for f in FLAGS]),
    "isnull(FLAGS)": NULL,
    "FLAGS is not null": [not null for null in NULL],
    "FLAGS in (1, 2, 3)": known([f in (1, 2, 3) for f in FLAGS]),
    "FLAGS not in (1, 2, 3)": known([f not in (1, 2, 3) for f in FLAGS]),
    "NAME == 'x'": [n.strip() == "x" for n in NAMES],
    'NAME == "é b"': [n == "é b" for n in NAMES],
    "NAME != 'x'": [n.strip() not in ("x", "") for n in NAMES],
    "not NAME == 'x'": [n.strip() not in ("x", "") for n in NAMES],
    "NAME in ('x', \"it's\")": [n.strip() in ("x", "it's") for n in NAMES],
    "NAME == NAME": [n != "" for n in NAMES],
    "isnull(NAME)": [n == "" for n in NAMES],
    "GOOD": GOOD,
    "not GOOD": [not g for g in GOOD],
    "GOOD and not FLAGS[0]": known([g and not f & 1 for g, f in zip(GOOD, FLAGS, strict=True)]),
    "GOOD & (ID > 0)": [g and i > 0 for g, i in zip(GOOD, IDS, strict=True)],
    "GOOD == True": GOOD,
    "GOOD == 0": [not g for g in GOOD],
    "APER[1] > 12": [row[1] > 12 for row in APER],
    "APER[0] < APER[2] < 20": [row[2] < 20 for row in APER],
    "aper[2] == 29": [row[2] == 29 for row in APER],
}  # fmt: skip


@pytest.mark.parametrize("text", CUTS)
def test_what_a_cut_keeps(catalog, text):
    if CUTS[text] is InputError:
        with pytest.raises(InputError):
            find_selection(text, catalog)
        return
    selection = find_selection(text, catalog)
    expected = [bool(value) for value in CUTS[text]]
    assert selection.keep(catalog, 0, ROWS).tolist() == expected
    pieces = [selection.keep(catalog, start, start + 2) for start in range(0, ROWS, 2)]
    assert np.concatenate(pieces).tolist() == expected
    assert selection.keep(catalog, 3, 3).tolist() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("APER > 1", r"at 'APER > 1' \(character 1\): APER holds .* values a row; name one"),
        ("RA[0] > 1", r"no vector and no whole number"),
        ("FLAGS[64]", r"bits count from 0, which has the value 1, to 63"),
        ("NAME < 'x'", r"texts can be == or !="),
        ("GOOD & FLAGS == 1", r"& joins two conditions, or the bits of two whole numbers"),
        ("ID ** 20 > 1", r"at '\*\* 20 > 1' \(character 4\): gives a whole number of more"),
    ],
)  # fmt: skip
def test_what_is_refused(catalog, text, message):
    with pytest.raises(InputError, match=message) as error:
        find_selection(text, catalog).keep(catalog, 0, ROWS)
    assert str(error.value).isprintable()


def test_elements_beyond_the_end_are_refused_with_the_last(tmp_path):
    write_fits(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    with pytest.raises(InputError, match=r"no element 3: elements count from 0.*APER\[2\]"):
        find_selection("APER[3] > 0", catalog)


def test_elements_of_lists_that_are_too_short_are_missing(tmp_path):
    lists = [[1, 2], [], None, [5], [7, 8, 9]]
    table = {"ra": [1.0] * 5, "dec": [2.0] * 5, "v": pa.array(lists, pa.list_(pa.int64()))}
    fixed = pa.array([[1, 2], [3, None], None, [5, 6], [7, 8]], pa.list_(pa.int64(), 2))
    write_if_possible(pa.table(table | {"f": fixed}), tmp_path / "in.parquet", row_group_size=2)
    catalog = open_catalog(tmp_path / "in.parquet")
    for text, keep in {
        "v[1] > 0": [True, False, False, False, True],
        "isnull(v[1])": [False, True, True, True, False],
        "f[1] >= 0": [True, False, False, True, True],
        "v[0] == f[0]": [True, False, False, True, True],
    }.items():
        assert find_selection(text, catalog).keep(catalog, 0, 5).tolist() == keep, text
        assert find_selection(text, catalog).keep(catalog, 1, 4).tolist() == keep[1:4], text


UNSIGNED = [0, 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1]


def test_unsigned_and_scaled_integers(tmp_path):
    """TZERO moves what FITS stores; BSCALE other than 1 makes it a float."""
    columns = [
        fits.Column("RA", "D", array=np.ones(6)),
        fits.Column("DEC", "D", array=np.ones(6)),
        fits.Column("U", "K", bzero=2**63, array=np.array(UNSIGNED, np.uint64)),
        fits.Column("H", "I", bzero=2**15, array=np.array([0, 1, 2, 3, 65534, 65535], np.uint16)),
    ]
    path = tmp_path / "in.fits"
    fits.BinTableHDU.from_columns(columns).writeto(path)
    with fits.open(path, "update", do_not_scale_image_data=True) as hdus:
        assert hdus[1].header["TZERO3"] == 2**63
    catalog = open_catalog(path)
    assert read_exact(catalog, [("U", None)], 0, 6)[0].data.tolist() == UNSIGNED
    for text, keep in {
        "U == 9223372036854775809": [n == 2**63 + 1 for n in UNSIGNED],
        "U > 9223372036854775807": [n > 2**63 - 1 for n in UNSIGNED],
        "U + 1 > 18446744073709551615": [n + 1 > 2**64 - 1 for n in UNSIGNED],
        "U - 1 < 0": [n == 0 for n in UNSIGNED],
        "H > 65533 and U[63]": [False, False, False, False, True, True],
    }.items():
        assert find_selection(text, catalog).keep(catalog, 0, 6).tolist() == keep, text


def test_an_offset_of_64_bits_is_exact(tmp_path):
    columns = [fits.Column(name, "D", array=np.ones(3)) for name in ("RA", "DEC")]
    columns.append(fits.Column("ID", "K", array=np.array([0, 1, 2])))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    content = (tmp_path / "in.fits").read_bytes()
    card = b"TZERO3  =    36407050963681538"
    place = content.index(b"END".ljust(80), 2880)
    content = content[:place] + card.ljust(80) + b"END".ljust(80) + content[place + 160 :]
    (tmp_path / "in.fits").write_bytes(content)
    catalog = open_catalog(tmp_path / "in.fits")
    keep = find_selection("ID == 36407050963681539", catalog).keep(catalog, 0, 3)
    assert keep.tolist() == [False, True, False]


def test_bits_of_fits(tmp_path):
    bits = np.arange(6 * 11).reshape(6, 11) % 3 == 0
    columns = [fits.Column(name, "D", array=np.ones(6)) for name in ("RA", "DEC")]
    columns += [fits.Column("B", "11X", array=bits), fits.Column("one", "X", array=bits[:, :1])]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    for number in range(11):
        keep = find_selection(f"B[{number}]", catalog).keep(catalog, 0, 6)
        assert keep.tolist() == bits[:, number].tolist()
    assert find_selection("not one", catalog).keep(catalog, 0, 6).tolist() == (~bits[:, 0]).tolist()


OPERATIONS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip
INTEGERS = st.one_of(
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 2**64 - 1, 2**53, 2**53 + 1]),
    st.integers(-(2**63), 2**64 - 1),
)
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, "==": operator.eq}


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=5),
    st.sampled_from(list(OPERATIONS)),
    st.sampled_from(list(COMPARISONS)),
    st.one_of(INTEGERS, st.floats(-1e20, 1e20)),
)
def test_integers_are_computed_as_python_does(rows, sign, comparison, limit):
    """Against Python's own integers, which are of any size."""
    condition = Condition.parse(f"a {sign} b {comparison} x", "here")
    kinds = dict.fromkeys("ab", ColumnKind("integer"))
    kinds["x"] = ColumnKind("number" if isinstance(limit, float) else "integer")
    (clause,) = condition.bind(kinds)
    left, right = zip(*rows, strict=True)
    values = {("a", None): integers(left), ("b", None): integers(right)}
    values["x", None] = integers([limit] * len(rows))
    if isinstance(limit, float):
        values["x", None] = type(values["x", None])(np.full(len(rows), limit))
    expected = [
        not (sign in ("//", "%") and b == 0)
        and COMPARISONS[comparison](OPERATIONS[sign](a, b), limit)
        for a, b in rows
    ]
    assert clause.holds(values).tolist() == expected


def test_kinds_are_the_same_in_every_format(catalog):
    names = ("ID", "FLAGS", "NAME", "GOOD", "APER")
    kinds = [kind_of(catalog, name).kind for name in names]
    assert kinds == ["integer", "integer", "text", "logical", "number"]
    assert kind_of(catalog, "APER").size in (3, -1)


def test_a_catalog_without_readers_of_its_own(catalog):
    """A format can do without `column_kind` and `read_exact`."""

    class Plain:
        path = catalog.path
        column_names = catalog.column_names
        describe_columns = catalog.describe_columns
        exact_values = catalog.exact_values
        read_column = catalog.read_column
        read_columns = catalog.read_columns

    for text in ("ID == 9007199254740993", "NAME == 'x' or GOOD", "(FLAGS & 4) == 0"):
        expected = [bool(value) for value in CUTS.get(text, [])] or None
        keep = find_selection(text, Plain()).keep(Plain(), 0, ROWS).tolist()
        assert keep == find_selection(text, catalog).keep(catalog, 0, ROWS).tolist()
        assert expected is None or keep == expected


def test_cases_that_selected_wrong_rows(shared):
    folder = shared / "cases" / "catalogs"
    for name, text, count in [
        ("hsc_ids.fits", "object_id == 36407050963681540", 1),
        ("select.fits", "id64 == 1152921504606846977", 1),
        ("select.fits", "(FLAGS & 1) == 0 and isprimary", None),
        ("select.fits", 'TILENAME == "DES0208-4000"', 100),
        ("select.fits", "flag_bits[0] and MAG_APER[2] > 0", None),
    ]:
        catalog = open_catalog(folder / name)
        keep = find_selection(text, catalog).keep(catalog, 0, catalog.row_count)
        assert count is None or keep.sum() == count


def test_clauses_one_by_one(catalog):
    selection = find_selection("ID > 0 and (GOOD or FLAGS[0]) AND APER[1] > 12", catalog)
    assert selection.clauses == ("ID > 0", "(GOOD or FLAGS[0])", "APER[1] > 12")
    each = selection.keep_by_clause(catalog, 0, ROWS)
    assert each.shape == (ROWS, 3)
    np.testing.assert_array_equal(each.all(axis=1), selection.keep(catalog, 0, ROWS))
    for column, text in itertools.zip_longest(each.T, selection.clauses):
        np.testing.assert_array_equal(column, find_selection(text, catalog).keep(catalog, 0, ROWS))
