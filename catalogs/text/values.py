"""Texts of cells as values: numbers, logical values, whole numbers; and back."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULLS = ("", "nan", "null", "na", "n/a", "#n/a", "<na>", "none", "--", "-", "...", "masked")
"""What stands for "no value", in lower case."""

TEXT_WIDTHS = {"f4": 15, "i2": 6}
"""Characters of the longest text of a value by type, such as 0.0000023543835 and -32768."""

_TRUE, _FALSE = ("true", "t"), ("false", "f")
_WHOLE = re.compile(r"[+-]?[0-9]+")


class ValueTextError(ValueError):
    """A text that is no value of the kind; `row` is its number among the texts."""

    def __init__(self, row: int, text: str):
        super().__init__(text)
        self.row = row


def _stripped(texts: pa.Array) -> pa.Array:
    """Return texts without blanks around them; null where there is no value."""
    try:
        strings = texts.cast(pa.large_string())
    except pa.ArrowInvalid:  # not UTF-8
        strings = pa.array([decoded(text) for text in texts.to_pylist()], pa.large_string())
    strings = pc.utf8_trim(strings, " \t")
    missing = pc.is_in(pc.utf8_lower(strings), pa.array(NULLS, pa.large_string()))
    return pc.if_else(missing, None, strings)


def decoded(text: bytes) -> str:
    """Return bytes as text: UTF-8, or else Latin-1."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def as_floats(texts: pa.Array, *, decimal_comma: bool = False) -> np.ndarray:
    """Return numbers and logical values as float64, NaN where there is no value.

    Parameters
    ----------
    texts : array of binary
    decimal_comma : bool
        Whether a comma stands for the decimal point.

    Returns
    -------
    array of float64, shape (texts,)

    Raises
    ------
    ValueTextError
        If a text is neither.
    """
    numbers = None if decimal_comma else _all_of(texts, pa.float64())
    if numbers is not None:
        return numbers.to_numpy(zero_copy_only=False)
    strings = _stripped(texts)
    if decimal_comma:
        strings = pc.replace_substring(strings, ",", ".")
    try:
        numbers = strings.cast(pa.float64())
    except pa.ArrowInvalid:
        return _floats_one_by_one(strings)
    return numbers.fill_null(np.nan).to_numpy(zero_copy_only=False)


def _all_of(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Return all texts as numbers of a type; None if one of them is none: the usual case, fast."""
    try:
        return texts.cast(pa.large_string()).cast(kind)
    except pa.ArrowInvalid:
        return None


def _floats_one_by_one(strings: pa.Array) -> np.ndarray:
    values = np.empty(len(strings))
    for row, text in enumerate(strings.to_pylist()):
        lower = "nan" if text is None else text.lower()
        try:
            values[row] = float(lower.replace("d", "e") if "inf" not in lower else lower)
        except ValueError:
            if lower not in _TRUE + _FALSE:
                raise ValueTextError(row, text[:40]) from None
            values[row] = lower in _TRUE
    return values


def is_utf8(content: bytes) -> bool:
    """Tell whether bytes are text in UTF-8; else they are taken for Latin-1."""
    try:
        return content.isascii() or bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def as_exact(texts: pa.Array, kind: str, *, utf8: bool = True) -> list:
    """Return whole numbers (int) or texts (str), None where there is no value.

    Parameters
    ----------
    texts : array of binary
    kind : str
        ``integer`` or ``text``.
    utf8 : bool
        Whether the whole table is in UTF-8; else it is Latin-1.

    Returns
    -------
    list of int or str

    Raises
    ------
    ValueTextError
        If a text is no whole number.
    """
    if kind == "text":
        decode = decoded if utf8 else (lambda text: text.decode("latin-1"))
        strings = (decode(text).strip(" ") for text in texts.to_pylist())
        return [text or None for text in strings]
    values = []
    for row, text in enumerate(_stripped(texts).to_pylist()):
        if text is not None and not _WHOLE.fullmatch(text):
            raise ValueTextError(row, text[:40])
        values.append(None if text is None else int(text))
    return values


def short_integers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return whole numbers that all are of 64 bits, which is faster than `as_exact`.

    Parameters
    ----------
    texts : array of binary

    Returns
    -------
    values : array of int64
    missing : array of bool, or None
        Where there is no value; None: nowhere. None for both if `as_exact` must read the texts.
    """
    stripped = _stripped(texts)
    if pc.any(pc.match_substring(stripped, "x", ignore_case=True)).as_py():
        return None  # Arrow takes 0x1F for a number
    try:
        values = pc.cast(stripped, pa.int64())
    except pa.ArrowInvalid:
        return None
    missing = None
    if values.null_count:
        missing = pc.is_null(values).to_numpy(zero_copy_only=False)
        values = values.fill_null(0)
    return values.to_numpy(zero_copy_only=False), missing


def kind_of(texts: pa.Array, *, decimal_comma: bool = False) -> str | None:
    """Tell what all texts are.

    Parameters
    ----------
    texts : array of binary
    decimal_comma : bool
        Whether a comma stands for the decimal point.

    Returns
    -------
    str or None
        ``integer``, ``number``, ``logical`` or ``text``; None if no text is a value.
    """
    if len(texts) and not decimal_comma:
        first = decoded(texts[0].as_py()).strip()
        if _WHOLE.fullmatch(first) and _all_of(texts, pa.int64()) is not None:
            return "integer"
        numbers = None if _WHOLE.fullmatch(first) else _all_of(texts, pa.float64())
        if numbers is not None:
            return "number" if pc.any(pc.is_finite(numbers)).as_py() else None
    strings = _stripped(texts).drop_null()
    if not len(strings):
        return None
    if pc.all(pc.match_substring_regex(strings, "^[+-]?[0-9]+$")).as_py():
        return "integer"
    words = pa.array(_TRUE + _FALSE, pa.large_string())
    if pc.all(pc.is_in(pc.utf8_lower(strings), words)).as_py():
        return "logical"
    try:
        as_floats(texts, decimal_comma=decimal_comma)
    except ValueTextError:
        return "text"
    if pc.any(pc.is_in(pc.utf8_lower(strings), words)).as_py():
        return "text"
    return "number"


def joined_kind(one: str | None, other: str | None) -> str | None:
    """Return the kind of values of two kinds together.

    Parameters
    ----------
    one, other : str or None
        As of `kind_of`.

    Returns
    -------
    str or None
        The kind of both; ``number`` for integers and numbers, else ``text`` where they differ.
    """
    if one is None or other is None or one == other:
        return one or other
    return "number" if {one, other} == {"integer", "number"} else "text"


def cells_of(values: np.ndarray, null: str) -> pa.Array:
    """Return values of an added column as texts, the shortest that read back the same.

    Parameters
    ----------
    values : array, shape (rows,)
    null : str
        What stands for NaN.

    Returns
    -------
    pyarrow.Array
        Of ``large_string``.
    """
    strings = pa.array(values, from_pandas=True).cast(pa.large_string())
    return strings.fill_null(null)
