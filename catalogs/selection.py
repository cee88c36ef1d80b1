"""Which rows of a catalog are candidates: published cuts, or conditions of one's own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from catalogs._expression import Condition
from catalogs.errors import InputError

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
    _conditions: tuple[Condition, ...]
    _spellings: dict[str, str]

    def keep(self, catalog: "Catalog", start: int, stop: int) -> np.ndarray:
        """Return which of the rows [start, stop) are kept: bool, shape (rows,).

        A row for which a condition is not true because a value is missing is not kept.
        """
        values = dict(
            zip(self.columns, catalog.read_columns(self.columns, start, stop), strict=True)
        )
        named = {name: values[column] for name, column in self._spellings.items()}
        kept = np.ones(stop - start, np.bool_)
        for condition in self._conditions:
            kept &= condition.holds(named)
        return kept


def find_selection(asked: str, catalog: "Catalog") -> Selection:
    """Return the selection that a text asks for, checked against the catalog.

    Parameters
    ----------
    asked : str
        The name of a published cut (``des``, ``hsc``); a file with one condition a line, all of
        which must hold, and comments after ``#``; or an expression. At most 10,000 characters.
        See `catalogs._expression.Condition` for what a condition may hold.
    catalog : Catalog
        Names match its columns exactly, or without regard to case where only one column does.

    Raises
    ------
    InputError
        If it is none of these, or a column is not there or is not one number a row.
    """
    conditions = _conditions(asked)
    names = dict.fromkeys(name for condition in conditions for name in condition.names)
    spellings = {name: _find_column(name, catalog.column_names, catalog.path) for name in names}
    columns = tuple(dict.fromkeys(spellings.values()))
    catalog.read_columns(columns, 0, 0)
    return Selection(_one_line(conditions), columns, conditions, spellings)


def _conditions(asked: str) -> tuple[Condition, ...]:
    """Read the conditions of a published cut, a file or an expression."""
    where, text, is_file = "--select", asked, False
    if asked in PUBLISHED_CUTS:
        text = PUBLISHED_CUTS[asked]
    elif os.path.isfile(asked):
        where, text, is_file = asked, _read(asked), True
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{where}: longer than {MOST_CHARACTERS} characters")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{where}, line {number}" if is_file else where
        try:
            found.append(Condition.parse(line, place))
        except InputError as error:
            if is_file or set(asked) & set("<>="):
                raise
            known = ", ".join(PUBLISHED_CUTS)
            raise InputError(f"{error}; nor is it a file, or one of {known}") from error
    conditions = tuple(condition for condition in found if condition is not None)
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


def _find_column(name: str, existing: Sequence[str], where: object) -> str:
    """Return the column's own spelling."""
    if name in existing:
        return name
    same = [column for column in existing if column.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    if same:
        raise InputError(
            f"{where}: --select says {name}; there are {', '.join(same)}: write one so"
        )
    spelled = {column.lower(): column for column in existing}
    near = get_close_matches(name.lower(), spelled, n=3)
    names = [spelled[found] for found in near] or list(existing)[:3]
    raise InputError(
        f"{where}: no column {name!r}, which --select needs; there are {', '.join(names)}"
    )


def _one_line(conditions: Sequence[Condition]) -> str:
    if len(conditions) == 1:
        return conditions[0].text
    return " and ".join(f"({condition.text})" for condition in conditions)
