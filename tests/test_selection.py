"""Cuts as users write them: what plain numpy gives, or one line that says what is wrong."""

import re
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalogs import InputError, find_selection, open_catalog
from catalogs._expression import Condition
from catalogs._expression_parser import MOST_LEVELS, MOST_TOKENS
from catalogs.exact import ColumnKind, ExactValues
from catalogs.selection import MOST_CHARACTERS, PUBLISHED_CUTS

ROWS = 60
A, B, C = np.random.default_rng(4).normal(0, 2, (3, ROWS)).round(1)
A[:5], B[3:9], C[7] = [np.nan, 0, -0.0, np.inf, np.nan], np.nan, -np.inf
TABLE = {"a": A, "b": B, "g-i": C}
pytestmark = pytest.mark.filterwarnings("error")


def kept(text, values=TABLE):
    """Which rows a condition keeps."""
    held = holds(Condition.parse(text, "here"), values)
    assert held.dtype == np.bool_ and held.shape in [(), (ROWS,)]
    return np.broadcast_to(held, ROWS)


def holds(condition, values):
    """Where a condition on columns of float64 holds."""
    kinds = {name: ColumnKind("number") for name in condition.names}
    held = np.True_
    for clause in condition.bind(kinds):
        exact = {(name, None): ExactValues(values[name]) for name in condition.names}
        held = held & clause.holds(exact)
    return np.asarray(held)


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


# What each text is in numpy. Missing values are looked at apart.
MEANINGS = {
    "a < 1": lambda a, b, c: a < 1,
    "a<=0.5": lambda a, b, c: a <= 0.5,
    "a > b": lambda a, b, c: a > b,
    ".5 >= a": lambda a, b, c: a <= 0.5,
    "a == 0": lambda a, b, c: a == 0,
    "a != 0.": lambda a, b, c: (a != 0) & ~np.isnan(a),
    "-1 < a <= 1.5": lambda a, b, c: (a > -1) & (a <= 1.5),
    "a < b < `g-i` < 3": lambda a, b, c: (a < b) & (b < c) & (c < 3),
    "a + b * 2 > 1": lambda a, b, c: a + 2 * b > 1,
    "(a + b) * 2 > 1": lambda a, b, c: (a + b) * 2 > 1,
    "a - b - `g-i` > 0": lambda a, b, c: (a - b) - c > 0,
    "a / b / 2 > .1": lambda a, b, c: a / b / 2 > 0.1,
    "a ** 2 + b**2 < 4": lambda a, b, c: a * a + b * b < 4,
    "-a ** 2 < -1": lambda a, b, c: -(a * a) < -1,
    "2 ** -a > 1": lambda a, b, c: 2.0**-a > 1,
    "2 ** 3 ** 2 == 512 and a < 1": lambda a, b, c: a < 1,
    "+a > - b": lambda a, b, c: a > -b,
    "abs(a) > abs( b )": lambda a, b, c: np.abs(a) > np.abs(b),
    "sqrt(a) < 1": lambda a, b, c: np.sqrt(a) < 1,
    "log10(a) > -.5": lambda a, b, c: np.log10(a) > -0.5,
    "2.5 * log10(abs(a) + 1e-3) > 0": lambda a, b, c: 2.5 * np.log10(np.abs(a) + 1e-3) > 0,
    "isnan(a)": lambda a, b, c: np.isnan(a),
    "isfinite(`g-i`)": lambda a, b, c: np.isfinite(c),
    "not isnan(a + b)": lambda a, b, c: ~np.isnan(a + b),
    "~isfinite(a)": lambda a, b, c: ~np.isfinite(a),
    "a < 1 and b < 1": lambda a, b, c: (a < 1) & (b < 1),
    "a < 0 or b < 0": lambda a, b, c: (a < 0) | (b < 0),
    "a < 0 or b < 0 and `g-i` < 0": lambda a, b, c: (a < 0) | ((b < 0) & (c < 0)),
    "(a < 0 or b < 0) and `g-i` < 0": lambda a, b, c: ((a < 0) | (b < 0)) & (c < 0),
    "(a < 0) & (b < 0) | (`g-i` < 0)": lambda a, b, c: ((a < 0) & (b < 0)) | (c < 0),
    "a < 1 and b < 1 and `g-i` < 1": lambda a, b, c: (a < 1) & (b < 1) & (c < 1),
    "a > 9.**9**9": lambda a, b, c: np.zeros(len(a), bool),
    f"a < {'9' * 99}": lambda a, b, c: a < np.inf,
    "a % 2 < 1": lambda a, b, c: a % 2 < 1,
    "a // 2 < 1": lambda a, b, c: a // 2 < 1,
    "a % -.5 == 0": lambda a, b, c: np.mod(a, -0.5) == 0,
    "log(a) < 1 and exp(b) > 1": lambda a, b, c: (np.log(a) < 1) & (np.exp(b) > 1),
    "ln(a) == log(a)": lambda a, b, c: np.isfinite(np.log(a)) | (a == 0) | (a == np.inf),
    "sin(a) < cos(b) < tan(`g-i`)": lambda a, b, c: (np.sin(a) < np.cos(b))
    & (np.cos(b) < np.tan(c)),
    "sin(radians(a)) > 0": lambda a, b, c: np.sin(a * (np.pi / 180)) > 0,
    "degrees(atan2(a, b)) > 10": lambda a, b, c: np.arctan2(a, b) / np.pi * 180 > 10,
    "asin(a) + acos(a) > atan(b)": lambda a, b, c: np.arcsin(a) + np.arccos(a) > np.arctan(b),
    "floor(a) < ceil(a)": lambda a, b, c: np.floor(a) < np.ceil(a),
    "min(a, b, 1) > max(`g-i`, -1)": lambda a, b, c: np.minimum(np.minimum(a, b), 1)
    > np.maximum(c, -1),
    "a in (0, .5, 1)": lambda a, b, c: (a == 0) | (a == 0.5) | (a == 1),
    "a not in [0, 1]": lambda a, b, c: (a != 0) & (a != 1) & ~np.isnan(a),
    "isnull(a) or notnull(b)": lambda a, b, c: np.isnan(a) | ~np.isnan(b),
    "a is null or b is not null": lambda a, b, c: np.isnan(a) | ~np.isnan(b),
    "a < 1 && b < 1 || `g-i` <> 0": lambda a, b, c: ((a < 1) & (b < 1)) | (c < 0) | (c > 0),
    "NOT a < 1 AND b < 1": lambda a, b, c: (a >= 1) & (b < 1),
    "a < 0x10 and b < 0b11": lambda a, b, c: (a < 16) & (b < 3),
    "1 < 2": lambda a, b, c: np.ones(len(a), bool),
    "1 > 2 # never": lambda a, b, c: np.zeros(len(a), bool),
    "\ta\t<  1 # a > 1": lambda a, b, c: a < 1,
    "`a` < 1": lambda a, b, c: a < 1,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_what_a_text_means(text):
    np.testing.assert_array_equal(kept(text), MEANINGS[text](A, B, C))


OPPOSITES = ["a < 1", "a <= b", "a > 1", "a >= b", "a == 0", "a != 0", "-1 < a < b"]


@pytest.mark.parametrize("text", OPPOSITES)
@pytest.mark.parametrize("form", ["not {}", "~({})", "not (not (not ({})))"])
def test_neither_true_nor_false_where_a_value_is_missing(text, form):
    yes, no = kept(text), kept(form.format(text))
    known = ~np.isnan(A) & (~np.isnan(B) | ("b" not in text))
    assert not (yes & no).any()
    if text != "-1 < a < b":  # false already where a is too small
        np.testing.assert_array_equal(yes | no, known)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("not (a < 1 and b < 1)", "a >= 1 or b >= 1"),
        ("not (a < 1 or b < 1)", "a >= 1 and b >= 1"),
        ("~((a < 1) & ~(b < 1))", "a >= 1 or b < 1"),
        ("not (-1 < a < b)", "a <= -1 or a >= b"),
        ("not (a < 1 or isnan(b))", "a >= 1 and not isnan(b)"),
    ],
)
def test_opposites_of_several_conditions(text, same):
    np.testing.assert_array_equal(kept(text), kept(same))


@pytest.mark.parametrize(
    "name",
    ["class", "lambda", "if", "True", "None", "é", "FLUX_RADIUS_G", "_1", "c0", "f0", "__import__"],
)
def test_any_word_is_a_column(name):
    assert Condition.parse(f"{name} > 1", "here").names == (name,)


@pytest.mark.parametrize(
    "name", ["g-i", "a.b", "x y", "#", "2mass", "and", "a'b", '"', "é\u2009", "*"]
)
def test_any_name_in_backquotes(name):
    condition = Condition.parse(f"`{name}` > 1 # really", "here")
    assert condition.names == (name,) and condition.text == f"`{name}` > 1"
    assert holds(condition, {name: np.array([0.0, 2.0])}).tolist() == [False, True]


REFUSED = {
    "a": "a number and not a condition",
    "a + 1": "a number and not a condition",
    "-a": "a number and not a condition",
    "abs(a)": "a number and not a condition",
    "'a'": "a text and not a condition",
    "a < 1 & b < 2": "& binds closer than comparisons do; put each comparison in parentheses",
    "a < 1 | b < 2": "| binds closer than comparisons do",
    "a & 1 == 1": "may have a fraction, and & is for whole numbers",
    "a ^ 2 < 1": "powers are **",
    "a << 2 < 1": "may have a fraction, and << is for whole numbers",
    "~a < 1": "~ is for conditions and whole numbers",
    "(a < 1) & 1": "& joins two conditions, or the bits of two whole numbers",
    "(a < 1) ^ (b < 1)": "^ joins two conditions, or the bits",
    "(a < 1) + 1 > 0": "a condition where a number is needed",
    "(a < 1) == (b < 1)": "a condition where a number is needed",
    "abs(a < 1) > 0": "a condition where a number is needed",
    "isnan(a) < 1": "a condition where a number is needed",
    "(not a < 1) < 1": "a condition where a number is needed",
    "a < 1 and b": "a number and not a condition",
    "not a": "a number and not a condition",
    "a + not b": "put not in parentheses",
    "a = 1": "equality is ==",
    "`a < 1": "closing backquote is missing",
    "`` < 1": "closing backquote is missing",
    "a == 'x": "closing quote is missing",
    "!a": "write not",
    "a.b < 1": "backquotes",
    "a[0] < 1": "no vector and no whole number",
    "a[-1] < 1": "a whole number from 0",
    "a[b] < 1": "a whole number from 0",
    "a[0:1] < 1": "backquotes",
    "(a)[0] < 1": "cannot be read",
    "a == 'x'": "compared with a text, but no text itself",
    "'x' == ''": "an empty text is a missing one; test it with isnull()",
    "'x' < 'y'": "texts can be == or !=",
    "'x' + 1 < 1": "a text where a number is needed",
    "{a} < 1": "backquotes",
    "f'{a}' < 1": "cannot be read",
    "a @ b < 1": "backquotes",
    "(x := 1) < a": "backquotes",
    "lambda: a < 1": "backquotes",
    "a < 1; b < 1": "backquotes",
    "a < 1\\": "backquotes",
    "a < 1\x00": "backquotes",
    "a < 1_000": "backquotes",
    "a < 1j": "backquotes",
    "a < 1.2.3": "backquotes",
    "a < 007": "cannot be read as a whole number",
    "a < 1 if b < 1 else b > 1": "cannot be read",
    "a in b": "cannot be read",
    "a in ()": "no values in parentheses",
    "a in (1, 'x')": "compared with a text",
    "a < b in (1, 2)": "put the comparison in parentheses",
    "a is b": "is null and is not null",
    "a b < 1": "cannot be read",
    "a <": "a value is missing here",
    "(a < 1": "the closing parenthesis is missing here",
    "a < 1)": "cannot be read",
    "a < 1 and": "a value is missing here",
    f"a < {'9' * 5000}": "cannot be read as a whole number of at most 100 digits",
    "a < 1e999": "a number larger than any",
    "a < 9 ** 9 ** 9": "more than 1000 bits",
    "a < 1 << 5000": "more than 1000 bits",
    "a, b": "cannot be read",
    "(a < 1, b < 1)": "cannot be read",
    "()": "cannot be read",
    "[x for x in a] < 1": "cannot be read",
    "foo(a) < 1": "not a function; there are abs, sqrt, log, ",
    "__import__(a) < 1": "not a function",
    "eval(a) < 1": "not a function",
    "abs(a)(b) < 1": "cannot be read",
    "(a)(b) < 1": "cannot be read",
    "1(2) < 3": "cannot be read",
    "abs < 1 and abs() < 1": "abs takes one number",
    "abs(a, b) < 1": "abs takes one number",
    "abs(*a) < 1": "cannot be read",
    "abs(**a) < 1": "cannot be read",
    "min(a) < 1": "min takes two or more numbers of one row",
    "atan2(a) < 1": "atan2 takes two numbers",
    "isnull(a, b)": "isnull takes one value",
}


@pytest.mark.parametrize(
    "text", REFUSED, ids=lambda text: text[:30].encode("unicode_escape").decode()
)
def test_what_is_no_condition_is_refused_in_one_line(text):
    with pytest.raises(InputError, match=r"^here, at (.* \(character \d+\)|its end): ") as raised:
        bound(text)
    message = str(raised.value)
    assert REFUSED[text] in message
    assert message.isprintable() and len(message) < 300


def bound(text):
    condition = Condition.parse(text, "here")
    return condition.bind({name: ColumnKind("number") for name in condition.names})


def test_the_place_is_that_in_the_text():
    with pytest.raises(InputError, match=r"^here, at 'foo\(b\) < 3' \(character 20\): "):
        bound("`a long name` < 1 +foo(b) < 3")
    with pytest.raises(InputError, match=r"^here, at '= 2' \(character 7\): "):
        bound("abc   = 2")
    with pytest.raises(InputError, match=r"^here, at its end: "):
        bound("abc <  ")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 150 + "a < 1" + ")" * 150,
        "(" * 4000 + "a < 1" + ")" * 4000,
        "not " * (MOST_LEVELS + 2) + "a < 1",
        "a < " + "-" * 900 + "1",
        "~" * 9000 + "(a < 1)",
        "a < " + "2 ** " * 400 + "1",
        "a < " + "2 ** -" * 300 + "1",
        "a < " + "1 + " * 450 + "1",
        "a < " + "abs(" * 120 + "1" + ")" * 120,
        " & ".join(["(a < 1)"] * 150),
        "a" * 9000,
        "a < " + "1 < " * 4000 + "1",
    ],
    ids=lambda text: text[:12],
)
def test_deep_or_long_text_is_refused(text):
    try:
        bound(text)
    except InputError as error:
        assert str(error).isprintable() and len(str(error)) < 200
    else:
        pytest.fail("not refused")


def test_many_conditions_are_no_depth():
    text = " and ".join(["a < 1"] * (MOST_TOKENS // 4))
    np.testing.assert_array_equal(kept(text), A < 1)


def texts():
    """Texts of the grammar."""
    numbers = st.one_of(
        st.sampled_from(["a", "b", "`g-i`", "0.", "1.5", "1e3", ".1", "9.**9.**9."]),
        st.floats(0, 1e9).map(repr),
    )
    functions = st.sampled_from(["abs", "sqrt", "log10"])
    arithmetic = st.recursive(
        numbers,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            inner.map(lambda t: f"-{t}"),
            st.tuples(functions, inner).map("{0[0]}({0[1]})".format),
        ),
        max_leaves=6,
    )
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    simple = st.one_of(
        st.tuples(arithmetic, signs, arithmetic).map(" ".join),
        st.tuples(arithmetic, signs, arithmetic, signs, arithmetic).map(" ".join),
        st.tuples(st.sampled_from(["isnan", "isfinite"]), arithmetic).map("{0[0]}({0[1]})".format),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or", "&", "|"]), inner).map(
                lambda t: f"({t[0]}) {t[1]} ({t[2]})"
            ),
            inner.map(lambda t: f"not ({t})"),
            inner.map(lambda t: f"~({t})"),
        ),
        max_leaves=6,
    )


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(texts())
def test_every_text_of_the_grammar_is_a_cut(text):
    found, opposite = kept(text), kept(f"not ({text})")
    assert not (found & opposite).any()
    np.testing.assert_array_equal(kept(f"not (not ({text}))"), found)


NUMBER = re.compile(r"(?<!\w)(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?")
FUNCTIONS = {"number": np.float64, "abs": np.abs, "sqrt": np.sqrt, "log10": np.log10}
FUNCTIONS |= {"isnan": np.isnan, "isfinite": np.isfinite}


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(texts(), st.integers(9, ROWS - 1))
def test_each_row_is_judged_as_python_would(text, row):
    """Wherever no value is missing and none cannot be computed."""
    python = NUMBER.sub(r"number(\g<0>)", text.replace("`g-i`", "c").replace("~", "not "))
    values = {"a": A[row], "b": B[row], "c": C[row]}
    with np.errstate(invalid="raise"):
        try:
            expected = eval(python, FUNCTIONS, values)
        except FloatingPointError:
            return
    assert kept(text)[row] == expected


PIECES = st.sampled_from(
    [
        *"()+-*/<>=!&|~,.`'\"[]{}:;#@%^\\ \t\x00",
        *("**", "<=", "==", "and", "or", "not", "abs", "isnan", "lambda", "if", "else", "for"),
        *("in", "is", "a", "b", "0", "1e9", "1.", "__class__", "é"),
    ]
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@example("`")
@example("#")
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=25).map("".join)))
def test_hostile_text_is_a_cut_or_refused(text):
    with warnings.catch_warnings(action="error"):
        try:
            condition = Condition.parse(text, "here")
            if condition is None:
                assert text.partition("#")[0].strip(" \t") == ""
                return
            held = holds(condition, dict.fromkeys(condition.names, A))
        except InputError as error:
            assert str(error).isprintable()
            return
    assert held.dtype == np.bool_ and held.shape in [(), (ROWS,)]


def des_table(rows=4000):
    """Values around each limit of the published cut, some of them missing."""
    rng = np.random.default_rng(8)
    table = {
        "SPREAD_MODEL_I": rng.uniform(0, 0.05, rows),
        "SPREADERR_MODEL_I": rng.uniform(0, 0.01, rows),
        "FLUX_RADIUS_G": rng.uniform(5, 90, rows),
        "MU_MEAN_MODEL_G": rng.uniform(23.8, 29.2, rows),
        "MAG_AUTO_G": rng.uniform(20, 24, rows),
        "A_IMAGE": rng.uniform(5, 9, rows),
    }
    table["MAG_AUTO_I"] = table["MAG_AUTO_G"] - rng.uniform(-0.3, 1.6, rows)
    table["MAG_AUTO_R"] = table["MAG_AUTO_G"] - rng.uniform(-0.3, 1.2, rows)
    table["B_IMAGE"] = table["A_IMAGE"] * rng.uniform(0.1, 1, rows)
    for name in table:
        table[name] = table[name].astype(np.float32)
        table[name][rng.random(rows) < 0.01] = np.nan
    return table


def des_cut(table):
    """The published cut, written another way and row by row."""
    keep = []
    for i in range(len(table["MAG_AUTO_G"])):
        row = {name: float(values[i]) for name, values in table.items()}
        gi, gr = row["MAG_AUTO_G"] - row["MAG_AUTO_I"], row["MAG_AUTO_G"] - row["MAG_AUTO_R"]
        limits = [
            (row["SPREAD_MODEL_I"] + 5 / 3 * row["SPREADERR_MODEL_I"], 0.007, np.inf),
            (row["FLUX_RADIUS_G"] * 0.263, 2.5, 20),
            (row["MU_MEAN_MODEL_G"], 24.2, 28.8),
            (gi, -0.1, 1.4),
            (gr, 0.7 * gi - 0.4, 0.7 * gi + 0.4),
            (1 - row["B_IMAGE"] / row["A_IMAGE"], -np.inf, 0.7),
        ]
        keep.append(all(low < value < high for value, low, high in limits))
    return np.array(keep)


def write_parquet(path, table):
    columns = {name: pa.array(values, from_pandas=True) for name, values in table.items()}
    pq.write_table(pa.table(columns), path, row_group_size=700)
    return path


def write_fits(path, table):
    fits.BinTableHDU.from_columns(
        [
            fits.Column(name, {4: "E", 8: "D"}[values.itemsize], array=values)
            for name, values in table.items()
        ]
    ).writeto(path)
    return path


def positions(rows):
    return {"RA": np.linspace(0, 359, rows), "DEC": np.zeros(rows)}


@pytest.mark.parametrize("write", [write_fits, write_parquet])
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_the_published_des_cut(tmp_path, write, case):
    table = des_table()
    expected = des_cut(table)
    assert 100 < expected.sum() < 2000
    named = {case(name): values for name, values in (table | positions(4000)).items()}
    catalog = open_catalog(write(tmp_path / "in", named))
    selection = find_selection("des", catalog)
    assert set(selection.columns) == {case(name) for name in table}
    found = [
        selection.keep(catalog, start, min(start + 900, 4000)) for start in range(0, 4000, 900)
    ]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    again = find_selection(selection.text, catalog)
    np.testing.assert_array_equal(again.keep(catalog, 0, 4000), expected)


def hsc_catalog(path, g, gi, gr, radius, ellipticity):
    """A catalog with SourceExtractor's columns that stand for these parameters."""
    table = {
        "flux_radius_g": radius / 0.168,
        "mag_auto_g": g,
        "mag_auto_r": g - gr,
        "mag_auto_i": g - gi,
        "a_image": np.ones(len(g)),
        "b_image": 1 - ellipticity,
    }
    return open_catalog(write_parquet(path, table | positions(len(g))))


def test_the_hsc_cut_keeps_the_published_hsc_galaxies(shared, tmp_path):
    """Their list: i-band magnitudes, g-r, g-i, radii in arcsec, ellipticities."""
    lines = (shared / "lists" / "hsc_LSBGs.dat").read_text().splitlines()
    listed = np.array([line.split() for line in lines], float)
    i, gr, gi, radius, ellipticity = listed[:, [5, 7, 8, 9, 13]].T
    catalog = hsc_catalog(tmp_path / "in", i + gi, gi, gr, radius, ellipticity)
    keep = find_selection("hsc", catalog).keep(catalog, 0, len(i))
    assert len(keep) == 781 and keep.sum() >= 779


def test_the_hsc_cut_leaves_out_what_it_should(tmp_path):
    good = {"g": 21.0, "gi": 0.7, "gr": 0.45, "radius": 5.0, "ellipticity": 0.3}
    bad = [
        {"radius": 2.4}, {"g": 17.2},
        {"gi": -0.2, "gr": 0.0}, {"gi": 1.5, "gr": 1.05}, {"gr": 0.95}, {"gr": 0.05},
        {"ellipticity": 0.75},
    ]  # fmt: skip
    rows = [good, *({**good, **change} for change in bad)]
    columns = {name: np.array([row[name] for row in rows]) for name in good}
    catalog = hsc_catalog(tmp_path / "in", **columns)
    keep = find_selection("hsc", catalog).keep(catalog, 0, len(rows))
    assert keep.tolist() == [True] + [False] * len(bad)


@pytest.fixture
def catalog(tmp_path):
    rows = {
        "Mag": np.array([20.0, 22, np.nan]),
        "mag_r": np.array([19.0, 21, 20]),
        "MAG_R": np.array([1.0, 2, 3]),
        "g-i": np.array([0.1, 0.9, 0.5]),
        **positions(3),
    }
    path = write_parquet(tmp_path / "in.parquet", rows)
    extra = pq.read_table(path)
    extra = extra.append_column("name", pa.array(["x", "y", "z"]))
    extra = extra.append_column("good", pa.array([True, False, None]))
    pq.write_table(extra, path)
    return open_catalog(path)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("Mag < 21", [True, False, False]),
        ("mag < 21", [True, False, False]),
        ("MAG_R < 2.5", [True, True, False]),
        ("mag_r < 19.5", [True, False, False]),
        ("`G-I` > 0.3", [False, True, True]),
        ("good == 1", [True, False, False]),
        ("good", [True, False, False]),
        ("not good", [False, True, False]),
        ("~good or isnull(good)", [False, True, True]),
        ("good == True", [True, False, False]),
        ("name == 'y'", [False, True, False]),
        ("NAME in ('x', \"z\") and not good", [False, False, False]),
        ("not good == 1", [False, True, False]),
        ("isnan(MAG)", [False, False, True]),
        ("Mag < 21\n\n# more\nmag_r > 19.5", [False, False, False]),
        ("1 > 0", [True, True, True]),
    ],
)
def test_columns_of_a_catalog(catalog, text, keep):
    selection = find_selection(text, catalog)
    assert selection.keep(catalog, 0, 3).tolist() == keep
    assert selection.keep(catalog, 1, 3).tolist() == keep[1:]
    assert selection.keep(catalog, 1, 1).tolist() == []


def test_a_file_of_conditions(catalog, tmp_path):
    path = tmp_path / "cuts.txt"
    path.write_text("\ufeff# mine\n\nMag < 25   # bright\r\n`g-i` > 0.3\n", encoding="utf-8")
    selection = find_selection(str(path), catalog)
    assert selection.text == "(Mag < 25) and (`g-i` > 0.3)"
    assert selection.columns == ("Mag", "g-i")
    assert selection.keep(catalog, 0, 3).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MAGG < 1", r"in\.parquet: no column 'MAGG', which --select needs; there are .*Mag"),
        ("des", r"in\.parquet: no column 'SPREAD_MODEL_I', which --select needs; there are "),
        ("Mag_R < 1", r"there are mag_r, MAG_R: write one so"),
        ("name == 1", r"at '1' \(character 9\): compared with a text, but no text itself"),
        ("DES", r"in\.parquet: no column 'DES'"),
        ("cuts.txt", r"at '\.txt' \(character 5\): .*nor is it a file, or one of des, hsc"),
        ("", r"--select: no condition"),
        ("# nothing\n", r"--select: no condition"),
        ("Mag < 1" + " " * MOST_CHARACTERS, r"--select: longer than 10000 characters"),
        ("Mag < 1 + " + "1 + " * MOST_TOKENS + "1", r"--select: longer than 1000 words"),
    ],
)  # fmt: skip
def test_what_cannot_be_selected_is_said_in_one_line(catalog, text, message):
    with pytest.raises(InputError, match=message) as raised:
        find_selection(text, catalog)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Mag < 1\n\nMag <\n", r"cuts\.txt, line 3, at its end: "),
        (b"Mag < 1\nMag = 1\n", r"cuts\.txt, line 2, at '= 1' \(character 5\): .*equality is =="),
        (b"\xff\xfe\x00", r"cuts\.txt: not a text of conditions"),
        (b"# none\n", r"cuts\.txt: no condition"),
        (b"\x00" * 100_000, r"cuts\.txt: longer than 10000 characters"),
        ("é".encode() * 30_000, r"cuts\.txt: (longer than 10000 characters|not a text)"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(catalog, tmp_path, content, message):
    path = tmp_path / "cuts.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        find_selection(str(path), catalog)
    assert str(raised.value).isprintable() and "nor is it a file" not in str(raised.value)


@pytest.mark.parametrize("name", PUBLISHED_CUTS)
def test_published_cuts_can_be_had_as_files(catalog, tmp_path, name):
    path = tmp_path / "cut.txt"
    path.write_text(PUBLISHED_CUTS[name])
    with pytest.raises(InputError, match="no column"):
        find_selection(str(path), catalog)


@pytest.mark.slow
def test_an_unreadable_path_is_no_crash(catalog):
    for text in ["x" * 5000, "a\x00b", "/dev/zero", "/"]:
        with pytest.raises(InputError):
            find_selection(text, catalog)
