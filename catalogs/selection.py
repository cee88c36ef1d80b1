"""Which rows of a catalog are candidates: published cuts, or conditions of one's own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from catalogs._expression import BoundClause, Condition
from catalogs._expression_parts import Values
from catalogs.blocks import BLOCK_ROWS
from catalogs.errors import InputError
from catalogs.exact import ColumnKind, Comparable, ExactValues, Wanted, kind_of, read_exact

if TYPE_CHECKING:
    from catalogs import Catalog

MOST_CHARACTERS = 10_000
"""Length of a file of conditions, or of an expression."""

PUBLISHED_CUTS = {
    "des": """
        # Tanoglidis et al. 2021, ApJS 252, 18, section 3; 0.263 arcsec a pixel
        SPREAD_MODEL_I + 5 / 3 * SPREADERR_MODEL_I > 0.007
        2.5 < FLUX_RADIUS_G * 0.263 < 20
        24.2 < MU_MEAN_MODEL_G < 28.8
        -0.1 < MAG_AUTO_G - MAG_AUTO_I < 1.4
        abs(MAG_AUTO_G - MAG_AUTO_R - 0.7 * (MAG_AUTO_G - MAG_AUTO_I)) < 0.4
        1 - B_IMAGE / A_IMAGE < 0.7
    """,
    "hsc": """
        # Size and mean surface brightness of Greco et al. 2018, ApJ 857, 104; 0.168 arcsec a pixel
        flux_radius_g * 0.168 > 2.5
        # Within the half-light radius: 2.5 log10(2 pi) = 1.9954
        mag_auto_g + 5 * log10(flux_radius_g * 0.168) + 1.9954 > 24.3
        # Colours and ellipticity as for DES
        -0.1 < mag_auto_g - mag_auto_i < 1.4
        abs(mag_auto_g - mag_auto_r - 0.7 * (mag_auto_g - mag_auto_i)) < 0.4
        1 - b_image / a_image < 0.7
    """,
}
"""Cuts by name, over SourceExtractor's columns, written as a file of conditions is."""


@dataclass(frozen=True)
class Selection:
    """Conditions on the columns of a catalog, all of which a row that is kept fulfils.

    Attributes
    ----------
    text : str
        The conditions in one line, which `find_selection` takes again.
    columns : tuple of str
        Names in the catalog of the columns that it needs.
    """

    text: str
    columns: tuple[str, ...]
    _clauses: tuple[BoundClause, ...]
    _spellings: dict[str, str]
    _in_floats: bool

    @property
    def clauses(self) -> tuple[str, ...]:
        """The conditions one by one: lines, and what ``and`` joins in them."""
        return tuple(clause.text for clause in self._clauses)

    def keep(self, catalog: "Catalog", start: int, stop: int) -> np.ndarray:
        """Return which of the rows [start, stop) are kept: bool, shape (rows,).

        A row for which a condition is not true because a value is missing is not kept.

        Parameters
        ----------
        catalog : Catalog
            The one that the selection was found for.
        start, stop : int

        Returns
        -------
        array of bool, shape (rows,)

        Raises
        ------
        InputError
            If the file is damaged there, or whole numbers become too large.
        """
        selected_rows = np.ones(stop - start, np.bool_)
        values = self._values(catalog, start, stop)
        for clause in self._clauses:
            selected_rows &= clause.holds(values)
        return selected_rows

    def keep_by_clause(self, catalog: "Catalog", start: int, stop: int) -> np.ndarray:
        """Return for which of the rows each of `clauses` is true: bool, shape (rows, clauses).

        Parameters
        ----------
        catalog : Catalog
            The one that the selection was found for.
        start, stop : int

        Returns
        -------
        array of bool, shape (rows, clauses)

        Raises
        ------
        InputError
            As of `keep`.
        """
        true_rows = np.empty((stop - start, len(self._clauses)), np.bool_)
        values = self._values(catalog, start, stop)
        for number, clause in enumerate(self._clauses):
            true_rows[:, number] = clause.holds(values)
        return true_rows

    def _values(self, catalog: "Catalog", start: int, stop: int) -> Values:
        """Read what the conditions need, by the names that are written in them."""
        wanted = _wanted(self._clauses, self._spellings)
        if self._in_floats:
            arrays = catalog.read_columns([column for column, _ in wanted], start, stop)
            exact = [ExactValues(array) for array in arrays]
        else:
            exact = read_exact(catalog, wanted, start, stop)
        read = dict(zip(wanted, exact, strict=True))
        return {
            (name, element): read[self._spellings[name], element]
            for clause in self._clauses
            for name, element in clause.wanted
        }


def count_removed(selection: Selection, catalog: "Catalog") -> list[tuple[str, int, int]]:
    """Count the rows that each condition removes.

    Parameters
    ----------
    selection : Selection
    catalog : Catalog

    Returns
    -------
    list of (str, int, int)
        Each condition; the rows for which it is not true; those of them for which all other
        conditions are.
    """
    removed, alone = np.zeros((2, len(selection.clauses)), np.int64)
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        failed = ~selection.keep_by_clause(catalog, start, stop)
        removed += failed.sum(axis=0)
        alone += (failed & (failed.sum(axis=1) == 1)[:, None]).sum(axis=0)
    return list(zip(selection.clauses, removed.tolist(), alone.tolist(), strict=True))


def find_selection(asked: str, catalog: Comparable, *, option: str = "--select") -> Selection:
    """Return the selection that a text asks for, checked against the catalog.

    Parameters
    ----------
    asked : str
        The name of a published cut (``des``, ``hsc``); a file with one condition a line, all of
        which must hold, and comments after ``#``; or an expression. At most 10,000 characters.
        docs/selection.md says what a condition may hold.
    catalog : Catalog or Comparable
        Names match its columns exactly, or without regard to case where only one column does.
    option : str
        What error messages call it.

    Returns
    -------
    Selection

    Raises
    ------
    InputError
        If it is none of these, or a column is missing or holds nothing that can be compared so.
    """
    conditions = _conditions(asked, option)
    names = dict.fromkeys(name for condition in conditions for name in condition.names)
    spellings = {}
    for name in names:
        if not (name.lower() in ("true", "false") and not _same(name, catalog.column_names)):
            spellings[name] = _find_column(name, catalog.column_names, catalog.path, option)
    kinds = {name: kind_of(catalog, column) for name, column in spellings.items()}
    clauses = tuple(clause for condition in conditions for clause in condition.bind(kinds))
    columns = tuple(dict.fromkeys(column for column, _ in _wanted(clauses, spellings)))
    in_floats = all(kind == ColumnKind("number") for kind in kinds.values())
    return Selection(_one_line(conditions), columns, clauses, spellings, in_floats)


def _wanted(clauses: Sequence[BoundClause], spellings: dict[str, str]) -> list[Wanted]:
    """List the columns and elements that conditions need, each once."""
    columns = {
        (spellings[name], element): None for clause in clauses for name, element in clause.wanted
    }
    return list(columns)


def _conditions(asked: str, option: str) -> tuple[Condition, ...]:
    """Read the conditions of a published cut, a file or an expression."""
    where, text, is_file = option, asked, False
    if asked in PUBLISHED_CUTS:
        text = PUBLISHED_CUTS[asked]
    elif os.path.isfile(asked):
        where, text, is_file = asked, _read(asked), True
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{where}: longer than {MOST_CHARACTERS} characters")
    parts = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{where}, line {number}" if is_file else where
        try:
            parts.append(Condition.parse(line, place))
        except InputError as error:
            if is_file or set(asked) & set("<>=()&|~[ "):
                raise
            known = ", ".join(PUBLISHED_CUTS)
            raise InputError(f"{error}; nor is it a file, or one of {known}") from error
    conditions = tuple(condition for condition in parts if condition is not None)
    if not conditions:
        raise InputError(f"{where}: no condition; give one, such as FLUX_RADIUS_G > 10")
    return conditions


def _read(path: str) -> str:
    with open(path, "rb") as file:
        content = file.read(4 * MOST_CHARACTERS + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text of conditions, one a line, in UTF-8") from error


def _find_column(name: str, existing: Sequence[str], where: object, option: str) -> str:
    """Return the column's own spelling."""
    same = _same(name, existing)
    if len(same) == 1:
        return same[0]
    if same:
        raise InputError(
            f"{where}: {option} says {name}; there are {', '.join(same)}: write one so"
        )
    spelled = {column.lower(): column for column in existing}
    near = get_close_matches(name.lower(), spelled, n=3)
    names = [spelled[found] for found in near] or list(existing)[:3]
    raise InputError(
        f"{where}: no column {name!r}, which {option} needs; there are {', '.join(names)}"
    )


def _same(name: str, existing: Sequence[str]) -> list[str]:
    """Return the column of that name, or else those whose names differ from it in case alone."""
    if name in existing:
        return [name]
    return [column for column in existing if column.lower() == name.lower()]


def _one_line(conditions: Sequence[Condition]) -> str:
    if len(conditions) == 1:
        return conditions[0].text
    return " and ".join(f"({condition.text})" for condition in conditions)
