"""The columns that are added, in the naming style of the catalog they join."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalogs.errors import InputError


@dataclass(frozen=True)
class AddedColumn:
    """A column to add.

    Attributes
    ----------
    name : str
    dtype : str
        ``f4`` (NaN or null where there is no value) or ``i2`` (never null).
    description : str
    ucd : str
        Unified content descriptor (IVOA UCD1+).
    unit : str
        Empty: dimensionless.
    """

    name: str
    dtype: str
    description: str
    ucd: str
    unit: str = ""


NAMING_STYLES = {
    "upper": ("P_LSBG", "FLAGS_LSBG"),
    "lower": ("p_lsbg", "flags_lsbg"),
    "rubin": ("lsbgProbability", "lsbgFlags"),
}
"""Names of the probability and the flags in each style."""


def lsbg_columns(existing: Sequence[str], style: str = "auto") -> tuple[AddedColumn, AddedColumn]:
    """Describe the probability and the flags.

    Parameters
    ----------
    existing : sequence of str
        Columns of the catalog.
    style : str
        ``upper``, ``lower``, ``rubin``, or ``auto``: as most of the existing names are.

    Raises
    ------
    InputError
        If the style is unknown.
    """
    if style == "auto":
        style = _style_of(existing)
    if style not in NAMING_STYLES:
        raise InputError(f"unknown style {style!r}: choose auto, {', '.join(NAMING_STYLES)}")
    probability, flags = NAMING_STYLES[style]
    return (
        AddedColumn(
            probability,
            "f4",
            "probability of being a low-surface-brightness galaxy",
            "stat.probability;src.class",
        ),
        AddedColumn(flags, "i2", "flags of the LSBG classification; 0 = clean", "meta.code.qual"),
    )


def find_lsbg_columns(existing: Sequence[str], where: object) -> tuple[str, str]:
    """Return the names of the probability and the flags in an annotated catalog.

    Raises
    ------
    InputError
        If it has none, or several.
    """
    found = [pair for pair in NAMING_STYLES.values() if set(pair) <= set(existing)]
    if len(found) != 1:
        raise InputError(f"{where}: no single pair of LSBG columns; annotate it with lsbg classify")
    return found[0]


def already_there(columns: Iterable[AddedColumn], existing: Iterable[str]) -> list[str]:
    """Return the existing columns that have a new column's name, in any case and style."""
    new = {column.name.lower() for column in columns}
    for position in range(2):
        styled = {pair[position].lower() for pair in NAMING_STYLES.values()}
        new |= styled if new & styled else set()
    return [name for name in existing if name.lower() in new]


def check_free(columns: Iterable[AddedColumn], existing: Iterable[str], where: object):
    """Raise `InputError` if a column of that name is there already."""
    taken = already_there(columns, existing)
    if taken:
        raise InputError(
            f"{where}: already has the column {taken[0]}; add --overwrite-columns to replace it"
        )


def _style_of(names: Sequence[str]) -> str:
    """Guess the naming style from the columns that are not ours."""
    ours = {name.lower() for pair in NAMING_STYLES.values() for name in pair}
    names = [name for name in names if name.lower() not in ours]
    if sum(name.isupper() for name in names) * 2 >= len(names):
        return "upper"
    camel = any(name[:1].islower() and name != name.lower() and "_" not in name for name in names)
    return "rubin" if camel else "lower"
