"""Which columns of a table are the position, and how they become degrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product

import numpy as np
from astropy import units as u

from catalogs.errors import InputError

_FAMILIES = (
    # SourceExtractor and SourceXtractor++ write several at once: the first that is there counts.
    (
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
        ("ALPHAPEAK_J2000", "DELTAPEAK_J2000"),
        ("ALPHAPSF_J2000", "DELTAPSF_J2000"),
        ("ALPHA_SKY", "DELTA_SKY"),
        ("ALPHAWIN_SKY", "DELTAWIN_SKY"),
        ("X_WORLD", "Y_WORLD"),
        ("XWIN_WORLD", "YWIN_WORLD"),
    ),
    (("world_centroid_alpha", "world_centroid_delta"),),
    (("RA", "DEC"),),
    (("coord_ra", "coord_dec"),),
    # VizieR writes computed J2000 beside the catalog's own ICRS.
    (("RA_ICRS", "DE_ICRS"), ("RAJ2000", "DEJ2000"), ("_RAJ2000", "_DEJ2000")),
    (("RA_ICRS", "DEC_ICRS"),),
    (("ra_deg", "dec_deg"),),
    (("raMean", "decMean"),),
)
_RADIANS_POSSIBLE = {"coord_ra", "coord_dec"}
"""Rubin's columns: degrees in DPDD tables, radians in older afw tables."""

_UNIT_NAMES = {"degree": "deg", "degrees": "deg", "radian": "rad", "radians": "rad"}
"""Names of units that tables carry beside those of the standards."""


@dataclass(frozen=True)
class PositionColumns:
    """The columns of the position.

    Attributes
    ----------
    ra, dec : str
        Names, as in the table.
    unit : str
        Unit of both, as astropy writes it: ``deg``, ``rad``, ...
    """

    ra: str
    dec: str
    unit: str

    def to_degrees(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Return degrees, float64 of shape (N, 2), from values in the columns' unit."""
        factor = u.Unit(self.unit).to(u.deg)
        return np.stack([ra, dec], axis=1).astype(np.float64) * factor


@dataclass(frozen=True)
class ColumnInfo:
    """What position finding needs to know of a column: is it one number a row, and its unit."""

    is_number: bool
    is_text: bool
    unit: str | None


def find_positions(
    columns: Mapping[str, ColumnInfo],
    where: str,
    *,
    ra: str | None = None,
    dec: str | None = None,
    unit: str | None = None,
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
        ``deg`` or ``rad``, overriding what the table says.

    Raises
    ------
    InputError
        If there is no position, more than one, or one that is not a number a row in an angle.
    """
    if (ra is None) != (dec is None):
        raise InputError("give both --ra and --dec, or neither")
    pair = (ra, dec) if ra is not None else _pair_by_name(columns, where)
    names = [_existing(name, columns, where) for name in pair]
    for name in names:
        _check_number(name, columns[name], where)
    units = {_angle(unit or columns[name].unit or "deg", name, where) for name in names}
    if len(units) > 1:
        both = " and ".join(sorted(units))
        raise InputError(
            f"{where}: {names[0]} and {names[1]} have different units, {both}; give both in degrees"
        )
    return PositionColumns(*names, units.pop())


def says_no_unit(found: PositionColumns, columns: Mapping[str, ColumnInfo]) -> bool:
    """Tell whether these are columns in degrees or radians, and the table does not say which."""
    return found.ra.lower() in _RADIANS_POSSIBLE and not columns[found.ra].unit


def check_not_radians(positions: np.ndarray, found: PositionColumns, where: str):
    """Refuse positions that would all be valid radians; float64, shape (N, 2)."""
    known = positions[np.isfinite(positions).all(axis=1)]
    ra, dec = known.T
    if len(known) and (ra >= 0).all() and (ra <= 2 * np.pi).all() and (abs(dec) <= np.pi / 2).all():
        raise InputError(
            f"{where}: {found.ra} and {found.dec} have no unit and could be radians; "
            "say --position-unit rad or --position-unit deg"
        )


def unit_vectors(positions: np.ndarray) -> np.ndarray:
    """Return the unit vectors, shape (N, 3), of positions in degrees, shape (N, 2)."""
    ra, dec = np.radians(positions).T
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _pair_by_name(columns, where) -> tuple[str, str]:
    spellings: dict[str, list[str]] = {}
    for name in columns:
        spellings.setdefault(name.lower(), []).append(name)
    found = []
    for family in _FAMILIES:
        for ra, dec in family:
            if ra.lower() in spellings and dec.lower() in spellings:
                found.append((spellings[ra.lower()], spellings[dec.lower()]))
                break
    pairs = [(ra, dec) for ras, decs in found for ra, dec in product(ras, decs)]
    if not pairs:
        raise InputError(
            f"{where}: no position column (RA/DEC, ALPHA_J2000/DELTA_J2000, coord_ra/coord_dec, "
            f"...) among {_some(columns)}; name them with --ra and --dec"
        )
    if len(pairs) > 1:
        choices = ", ".join("/".join(pair) for pair in pairs)
        raise InputError(f"{where}: several positions ({choices}); choose with --ra and --dec")
    return pairs[0]


def _existing(name, columns, where):
    if name in columns:
        return name
    same = [column for column in columns if column.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    near = get_close_matches(name, columns, n=3) or list(columns)[:3]
    raise InputError(f"{where}: no column {name}; there are {', '.join(near)}")


def _check_number(name, info, where):
    if info.is_text:
        raise InputError(
            f"{where}: {name} holds text; sexagesimal positions are not read, "
            "add columns in degrees and name them with --ra and --dec"
        )
    if not info.is_number:
        raise InputError(f"{where}: {name} is not one real number a row; choose other columns")


def _angle(unit, name, where) -> str:
    """Return the unit's standard name, or raise if it is no angle."""
    try:
        parsed = u.Unit(_UNIT_NAMES.get(unit.lower(), unit))
        parsed.to(u.deg)
    except (ValueError, TypeError, u.UnitsError):
        raise InputError(
            f"{where}: {name} has the unit {unit!r}, which is no angle; "
            "say --position-unit deg or --position-unit rad"
        ) from None
    return parsed.to_string()


def _some(columns) -> str:
    names = list(columns)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "no columns"
