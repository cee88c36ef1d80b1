"""Which columns of a table are the position, and how they become degrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import numpy as np

from catalogs.errors import InputError
from catalogs.exact import read_exact
from catalogs.position_names import (
    is_in_degrees,
    named_pairs,
    of_sky_coordinates,
    pairs_by_ucd,
    unit_in_name,
)
from catalogs.position_units import (
    HOURS,
    SEXAGESIMAL_DEGREES,
    SEXAGESIMAL_HOURS,
    UnreadableTextError,
    degrees,
    find_units,
)
from catalogs.sphere import arcseconds_between, on_sphere, turned_back, unit_vectors

__all__ = [
    "ColumnInfo",
    "PositionColumns",
    "Sample",
    "check_not_radians",
    "find_positions",
    "has_positions",
    "on_sphere",
    "read_positions",
    "says_no_unit",
    "unit_vectors",
]

SAME_POSITION = 1.0
"""Arcseconds up to which two pairs of position columns are the same."""

_ROWS_LOOKED_AT = 10_000
_RADIANS_POSSIBLE = {"coord_ra", "coord_dec"}
"""Rubin's columns: degrees in DPDD tables, radians in older afw tables."""


@dataclass(frozen=True)
class PositionColumns:
    """The columns of the position.

    Attributes
    ----------
    ra, dec : str
        Names, as in the table.
    ra_unit, dec_unit : str
        Units: ``deg``, ``rad`` or another angle as astropy writes it; ``hourangle`` of right
        ascensions; ``h:m:s`` and ``d:m:s`` of sexagesimal texts.
    texts : tuple of str
        Those of the two columns that hold texts.
    is_assumed : bool
        Whether nothing states the unit, so that degrees are assumed.
    notes : tuple of str
        What was decided between several columns, for people to read.
    """

    ra: str
    dec: str
    ra_unit: str
    dec_unit: str
    texts: tuple[str, ...] = ()
    is_assumed: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def unit(self) -> str:
        """Return the unit of both, or the two units."""
        if self.ra_unit == self.dec_unit:
            return self.ra_unit
        return f"{self.ra_unit} and {self.dec_unit}"

    def to_degrees(self, ra: np.ndarray, dec: np.ndarray, *, first_row: int = 0) -> np.ndarray:
        """Return positions on the sphere from values in the columns' units.

        Parameters
        ----------
        ra, dec : array of float64, or of str, shape (N,)
        first_row : int, optional
            The row of the table that they begin with, for error messages.

        Returns
        -------
        array of float64, shape (N, 2)
            Degrees as of `on_sphere`.

        Raises
        ------
        InputError
            If a text is no position.
        """
        columns = ((self.ra, self.ra_unit, ra), (self.dec, self.dec_unit, dec))
        return on_sphere(np.stack([_degrees(*column, first_row) for column in columns], axis=1))


@dataclass(frozen=True)
class ColumnInfo:
    """What position finding needs to know of a column.

    Attributes
    ----------
    is_number, is_text : bool
        Whether it is one real number, or one text, a row.
    unit, ucd : str, optional
        None where the table says none.
    """

    is_number: bool
    is_text: bool
    unit: str | None
    ucd: str | None = None


class Readable(Protocol):
    """A table of which positions are read: a `Catalog`, or one that is being opened."""

    @property
    def path(self) -> Path | str:
        """Where the table is, for messages."""

    @property
    def position_columns(self) -> PositionColumns:
        """Which columns are the position; found by means of the others."""

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""


@dataclass(frozen=True)
class Sample:
    """The first of the rows of a catalog, or of one of its files, to look at before deciding."""

    catalog: Readable
    first: int
    rows: int

    @property
    def looked_at(self) -> int:
        """Return the number of rows that are looked at."""
        return min(self.rows, _ROWS_LOOKED_AT)

    def read(self, names: Sequence[str], texts: Sequence[str]) -> list[np.ndarray]:
        """Return the values of columns: str of those in `texts`, float64 of others.

        Parameters
        ----------
        names : sequence of str
            Columns of the catalog.
        texts : sequence of str
            Those of them that hold texts.

        Returns
        -------
        list of array, shape (rows,)
            In the order of `names`. Missing numbers are NaN, missing texts are empty.
        """
        return _read(self.catalog, names, texts, self.first, self.first + self.looked_at)


def find_positions(
    columns: Mapping[str, ColumnInfo],
    where: str,
    *,
    ra: str | None = None,
    dec: str | None = None,
    unit: str | None = None,
    sample: Sample | None = None,
) -> PositionColumns:
    """Find the position among the columns of a table.

    Parameters
    ----------
    columns : mapping of str to ColumnInfo
    where : str
        The table's name in error messages.
    ra, dec : str, optional
        The columns' names, where they are not to be found by name.
    unit : str, optional
        ``deg``, ``rad``, or ``hourangle`` of right ascensions, overriding what the table says.
    sample : Sample, optional
        Rows to read, where columns hold texts or two pairs of columns are to be compared.

    Returns
    -------
    PositionColumns

    Raises
    ------
    InputError
        If there is no position, there are several that differ, or one is not in an angle.
    """
    if (ra is None) != (dec is None):
        raise InputError("give both --ra and --dec, or neither")
    if ra is not None:
        pair = tuple(_existing(name, columns, where) for name in (ra, dec))
        return _resolved(pair, columns, where, unit, sample)
    pairs, reasons, pairs_with_units = _pairs(columns, where), [], []
    for pair in pairs:
        try:
            pairs_with_units.append(_resolved(pair, columns, where, unit, sample))
        except InputError as error:
            reasons.append(error)
    if not pairs_with_units:
        raise reasons[0]
    notes = [f"not used: {error}" for error in reasons]
    if len(pairs_with_units) > 1:
        pairs_with_units = [_one_of(pairs_with_units, columns, where, sample)]
    return replace(pairs_with_units[0], notes=(*notes, *pairs_with_units[0].notes))


def has_positions(columns: Mapping[str, ColumnInfo], options: Mapping[str, str | None]) -> bool:
    """Tell whether a table has positions, one or several.

    Parameters
    ----------
    columns : mapping of str to ColumnInfo
    options : mapping
        ``ra`` and ``dec`` as for `find_positions`.

    Returns
    -------
    bool
    """
    if options.get("ra") is not None:
        return all(_same(options[name] or "", columns) for name in ("ra", "dec"))
    try:
        pairs = _pairs(columns, "")
    except InputError:
        return False
    return any(columns[name].is_number or columns[name].is_text for pair in pairs for name in pair)


def read_positions(catalog: Readable, start: int, stop: int) -> np.ndarray:
    """Return ICRS degrees of the rows [start, stop), float64 of shape (rows, 2).

    Parameters
    ----------
    catalog : Catalog
    start, stop : int

    Returns
    -------
    array of float64, shape (rows, 2)
        Right ascension and declination; NaN where either is missing. Values out of range stay.

    Raises
    ------
    InputError
        If a text is no position, or the file is damaged there.
    """
    position = catalog.position_columns
    values = _read(catalog, (position.ra, position.dec), position.texts, start, stop)
    try:
        return position.to_degrees(*values, first_row=start)
    except InputError as error:
        raise InputError(f"{catalog.path}: {error}") from error


def says_no_unit(found: PositionColumns, columns: Mapping[str, ColumnInfo]) -> bool:
    """Tell whether these are columns in degrees or radians, and the table does not say which.

    Parameters
    ----------
    found : PositionColumns
    columns : mapping of str to ColumnInfo

    Returns
    -------
    bool
    """
    return found.ra.lower() in _RADIANS_POSSIBLE and not columns[found.ra].unit


def check_not_radians(positions: np.ndarray, found: PositionColumns, where: str):
    """Refuse positions that would all be valid radians.

    Parameters
    ----------
    positions : array of float64, shape (N, 2)
        Read as degrees.
    found : PositionColumns
    where : str
        The table's name in error messages.

    Raises
    ------
    InputError
        If they would.
    """
    known = positions[np.isfinite(positions).all(axis=1)]
    ra, dec = turned_back(known).T
    if len(known) and (abs(ra) <= 2 * np.pi).all() and (abs(dec) <= np.pi / 2).all():
        raise InputError(
            f"{where}: {found.ra} and {found.dec} have no unit and could be radians; "
            "say --position-unit rad or --position-unit deg"
        )


def _read(catalog, names, texts, start: int, stop: int) -> list[np.ndarray]:
    if not texts:
        return catalog.read_columns(names, start, stop)
    return [
        read_exact(catalog, [(name, None)], start, stop)[0].data
        if name in texts
        else catalog.read_column(name, start, stop)
        for name in names
    ]


def _degrees(name: str, unit: str, values: np.ndarray, first_row: int) -> np.ndarray:
    try:
        return degrees(values, unit)
    except UnreadableTextError as error:
        row = first_row + error.row + 1
        raise InputError(
            f"{name} is {error.text[:40]!r} in row {row}, which is no position in {unit}; correct "
            "it, or leave it empty"
        ) from error


def _pairs(columns, where) -> list[tuple[str, str]]:
    """List the pairs of position columns: by name, else by UCD, else of a SkyCoord."""

    def usable(pair):
        return all(columns[name].is_number for name in pair)

    pairs = named_pairs(columns, usable)
    pairs = pairs or pairs_by_ucd({name: info.ucd for name, info in columns.items()})
    pairs = pairs or of_sky_coordinates(columns)
    if not pairs:
        raise InputError(
            f"{where}: no position column (RA/DEC, ALPHA_J2000/DELTA_J2000, coord_ra/coord_dec, "
            f"...) among {_some(columns)}; name them with --ra and --dec"
        )
    numbers = [pair for pair in pairs if usable(pair)]
    return numbers or pairs


def _one_of(
    candidates: list[PositionColumns], columns, where, sample: Sample | None
) -> PositionColumns:
    """Return the first of several pairs that agree, or the one that its UCD calls the main one."""
    first, labels = candidates[0], [f"{columns.ra}/{columns.dec}" for columns in candidates]
    if sample is None:
        raise InputError(
            f"{where}: several positions ({', '.join(labels)}); choose with --ra and --dec"
        )
    positions = [one.to_degrees(*sample.read((one.ra, one.dec), one.texts)) for one in candidates]
    largest, differing = 0.0, None
    for label, other in zip(labels[1:], positions[1:], strict=True):
        distance = arcseconds_between(positions[0], other)
        if distance.size and distance.max() > SAME_POSITION:
            differing = differing or (label, distance)
        largest = max(largest, distance.max(initial=0.0))
    if differing is None:
        note = (
            f"{labels[0]} taken; {', '.join(labels[1:])} agree within {largest:.2g} arcsec in the "
            f"{sample.looked_at} rows looked at"
        )
        return replace(first, notes=(note,))
    main = pairs_by_ucd({name: info.ucd for name, info in columns.items()})
    for one in candidates:
        if (one.ra, one.dec) in main:
            return replace(one, notes=(f"{one.ra}/{one.dec} taken, which their UCDs call main",))
    label, distance = differing
    raise InputError(
        f"{where}: several positions that differ, {labels[0]} and {label} by "
        f"{np.median(distance):.3g} arcsec (median) and up to {distance.max():.3g} (row "
        f"{int(np.argmax(distance)) + 1}); choose with --ra and --dec"
    )


def _same(name, columns) -> list[str]:
    if name in columns:
        return [name]
    return [column for column in columns if column.lower() == name.lower()]


def _existing(name, columns, where):
    same = _same(name, columns)
    if len(same) == 1:
        return same[0]
    near = get_close_matches(name, columns, n=3) or list(columns)[:3]
    raise InputError(f"{where}: no column {name}; there are {', '.join(near)}")


def _resolved(pair, columns, where, asked: str | None, sample: Sample | None) -> PositionColumns:
    """Find the units of two columns, and whether they are texts."""
    infos = [columns[name] for name in pair]
    for name, info in zip(pair, infos, strict=True):
        if not (info.is_number or info.is_text):
            raise InputError(f"{where}: {name} is not one real number a row; choose other columns")
    texts = tuple(name for name, info in zip(pair, infos, strict=True) if info.is_text)
    values = sample.read(pair, texts) if texts and sample is not None else (None, None)
    stated = [info.unit or unit_in_name(name) for name, info in zip(pair, infos, strict=True)]
    sampled = {name: value for name, value in zip(pair, values, strict=True) if name in texts}
    units = find_units(pair, stated, sampled, where, asked)
    is_assumed = units[0] is None and not is_in_degrees(pair[0])
    ra_unit, dec_unit = (unit or "deg" for unit in units)
    if ra_unit != dec_unit and ra_unit not in (HOURS, SEXAGESIMAL_HOURS, SEXAGESIMAL_DEGREES):
        both = " and ".join(sorted((ra_unit, dec_unit)))
        raise InputError(
            f"{where}: {pair[0]} and {pair[1]} have different units, {both}; give both in degrees"
        )
    is_assumed = is_assumed and ra_unit == "deg"
    ra, dec = pair
    return PositionColumns(ra, dec, ra_unit, dec_unit, texts, is_assumed)


def _some(columns) -> str:
    names = list(columns)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "no columns"
