"""The columns that are added to a catalog: one table of them, and their names in each style.

`OUTPUT_COLUMNS` is the only place that describes them. Writers of all formats, the journal of an
unfinished run, the results on disk, the report and the documentation read it. A new column is one
entry here, and the code that computes its values.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalogs.errors import InputError

NAMING_STYLES = ("upper", "lower", "rubin")
"""Styles in which a column of ours has a name: SourceExtractor's and DES's, lower case, Rubin's."""


@dataclass(frozen=True)
class OutputColumn:
    """A column that this project can add to a catalog.

    Attributes
    ----------
    key : str
        What the code calls it.
    names : mapping of str to str
        Its name in each of `NAMING_STYLES`.
    dtype : str
        ``f4`` (NaN or null where there is no value) or ``i2`` (never null).
    description : str
    ucd : str
        Unified content descriptor (IVOA UCD1+).
    unit : str
        Empty: dimensionless.
    not_scored : float or None
        Value of a row that got no score: NaN. None: the column has a value in every row.
    option : str
        Option of `annotate` that asks for it. Empty: it is always written.
    """

    key: str
    names: Mapping[str, str]
    dtype: str
    description: str
    ucd: str
    unit: str = ""
    not_scored: float | None = math.nan
    option: str = ""

    @property
    def nullable(self) -> bool:
        """Whether some rows have no value."""
        return self.not_scored is not None


OUTPUT_COLUMNS = (
    OutputColumn(
        key="probability",
        names={"upper": "P_LSBG", "lower": "p_lsbg", "rubin": "lsbgProbability"},
        dtype="f4",
        description="probability of being a low-surface-brightness galaxy",
        ucd="stat.probability;src.class",
    ),
    OutputColumn(
        key="spread",
        names={"upper": "P_LSBG_ERR", "lower": "p_lsbg_err", "rubin": "lsbgProbabilityErr"},
        dtype="f4",
        description="standard deviation of the LSBG probability over random dropouts",
        ucd="stat.stdev;stat.probability",
        option="uncertainty",
    ),
    OutputColumn(
        key="flags",
        names={"upper": "FLAGS_LSBG", "lower": "flags_lsbg", "rubin": "lsbgFlags"},
        dtype="i2",
        description="flags of the LSBG classification; 0 = clean",
        ucd="meta.code.qual",
        not_scored=None,
    ),
)
"""Every column that can be added, in the order in which a catalog gets them."""

DEFAULT_KEYS = tuple(column.key for column in OUTPUT_COLUMNS if not column.option)
"""Keys of the columns that every run writes."""


@dataclass(frozen=True)
class AddedColumn:
    """A column to add to one catalog.

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
    key : str
        Which of `OUTPUT_COLUMNS` it is.
    """

    name: str
    dtype: str
    description: str
    ucd: str
    unit: str = ""
    key: str = ""


def columns_of(keys: Collection[str] = DEFAULT_KEYS) -> tuple[OutputColumn, ...]:
    """Return the output columns with these keys, in the order of `OUTPUT_COLUMNS`.

    Raises
    ------
    InputError
        If there is no output column with one of the keys.
    """
    known = {column.key for column in OUTPUT_COLUMNS}
    for key in keys:
        if key not in known:
            raise InputError(f"no output column {key!r}: choose from {', '.join(sorted(known))}")
    return tuple(column for column in OUTPUT_COLUMNS if column.key in keys)


def lsbg_columns(
    existing: Sequence[str], style: str = "auto", *, keys: Collection[str] = DEFAULT_KEYS
) -> tuple[AddedColumn, ...]:
    """Describe the columns to add to a catalog.

    Parameters
    ----------
    existing : sequence of str
        Columns of the catalog.
    style : str
        ``upper``, ``lower``, ``rubin``, or ``auto``: as most of the existing names are.
    keys : collection of str
        Which of `OUTPUT_COLUMNS`; by default those that every run writes.

    Returns
    -------
    tuple of AddedColumn
        In the order of `OUTPUT_COLUMNS`.

    Raises
    ------
    InputError
        If the style or a key is unknown.
    """
    if style == "auto":
        style = _style_of(existing)
    if style not in NAMING_STYLES:
        raise InputError(f"unknown style {style!r}: choose auto, {', '.join(NAMING_STYLES)}")
    return tuple(
        AddedColumn(
            column.names[style],
            column.dtype,
            column.description,
            column.ucd,
            column.unit,
            column.key,
        )
        for column in columns_of(keys)
    )


def find_lsbg_columns(existing: Sequence[str], where: object) -> dict[str, str]:
    """Return the names of our columns in an annotated catalog, by their keys.

    Parameters
    ----------
    existing : sequence of str
        Columns of the catalog.
    where : path or str
        What to call the catalog in a message.

    Returns
    -------
    dict of str to str
        In the order of `OUTPUT_COLUMNS`; columns that not every run writes are left out where the
        catalog does not have them.

    Raises
    ------
    InputError
        If the catalog has no such columns, or several sets of them.
    """
    styles = [
        style
        for style in NAMING_STYLES
        if all(column.names[style] in existing for column in columns_of(DEFAULT_KEYS))
    ]
    if len(styles) != 1:
        raise InputError(
            f"{where}: no single set of LSBG columns; annotate the catalog with lsbg classify"
        )
    names = {column.key: column.names[styles[0]] for column in OUTPUT_COLUMNS}
    return {key: name for key, name in names.items() if name in existing}


def already_there(columns: Iterable[AddedColumn], existing: Iterable[str]) -> list[str]:
    """Return the existing columns that new ones replace, compared in any case and style.

    If one of the new columns is ours, all of ours are replaced: a spread left by an earlier run
    does not belong to the new probability.

    Parameters
    ----------
    columns : iterable of AddedColumn
        The new columns.
    existing : iterable of str
        Columns of the catalog.

    Returns
    -------
    list of str
        Their names as they are in the catalog.
    """
    new = {column.name.lower() for column in columns}
    ours = _our_names()
    if new & ours:
        new |= ours
    return [name for name in existing if name.lower() in new]


def check_free(columns: Iterable[AddedColumn], existing: Iterable[str], where: object):
    """Refuse a catalog that has one of the new columns already.

    Parameters
    ----------
    columns : iterable of AddedColumn
        The new columns.
    existing : iterable of str
        Columns of the catalog.
    where : path or str
        What to call the catalog in a message.

    Raises
    ------
    InputError
        If one of the columns exists.
    """
    old_names = already_there(columns, existing)
    if old_names:
        raise InputError(
            f"{where}: already has the column {old_names[0]}; add --overwrite-columns to replace it"
        )


def _our_names() -> set[str]:
    """Return the names of our columns in all styles, in lower case."""
    return {name.lower() for column in OUTPUT_COLUMNS for name in column.names.values()}


def _style_of(names: Sequence[str]) -> str:
    """Guess the naming style from the columns that are not ours."""
    ours = _our_names()
    names = [name for name in names if name.lower() not in ours]
    if sum(name.isupper() for name in names) * 2 >= len(names):
        return "upper"
    camel = any(name[:1].islower() and name != name.lower() and "_" not in name for name in names)
    return "rubin" if camel else "lower"


def shifted(values: Callable, first: int) -> Callable:
    """Return a function for a part of a catalog from the one for the whole catalog.

    Parameters
    ----------
    values : callable
        Given (start, stop), returns values in those rows of the whole catalog.
    first : int
        Number of the part's first row in the whole catalog.

    Returns
    -------
    callable
        Given (start, stop), returns values in those rows of the part.
    """
    return lambda start, stop: values(first + start, first + stop)


def column_number(name: str, names: Sequence[str], path: object) -> int:
    """Return which column has a name, from 0.

    Parameters
    ----------
    name : str
    names : sequence of str
        Of all columns.
    path : path
        Of the catalog, for the message.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If no column, or more than one, has the name.
    """
    numbers = [number for number, known in enumerate(names) if known == name]
    if not numbers:
        raise InputError(f"{path}: no column {name}")
    if len(numbers) > 1:
        raise InputError(
            f"{path}: {len(numbers)} columns are called {name}; rename them, or choose others, for "
            "positions with --ra and --dec"
        )
    return numbers[0]
