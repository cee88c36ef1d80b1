"""Units of positions, as tables write them, and positions that are texts."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u

from catalogs.errors import InputError

HOURS, SEXAGESIMAL_HOURS, SEXAGESIMAL_DEGREES = "hourangle", "h:m:s", "d:m:s"

_NAMES = {
    "deg": ("degree", "degrees", "degs", "°", "decimal degree", "decimal degrees", "deg."),
    "rad": ("radian", "radians"),
    HOURS: ("h", "hr", "hrs", "hour", "hours", "hour angle", "ra_h"),
    SEXAGESIMAL_HOURS: ("hms", "h m s", "hh:mm:ss", "hh mm ss", "hour:min:sec", "h:min:s"),
    SEXAGESIMAL_DEGREES: ("dms", "d m s", "dd:mm:ss", "dd mm ss", "deg:min:sec",
                          "deg:arcmin:arcsec", "deg:m:s", "ddd:mm:ss"),
}  # fmt: skip
"""Names of units that tables carry beside those of the standards, in lower case."""

_MISSING = ("", "nan", "null", "none", "n/a", "na", "--", "-")
_PARTS = re.compile(
    r"""(?P<sign>[-+\u2212]?)\s*(?P<whole>\d{1,3})\s*(?P<mark>[hd\u00b0:]|\s)\s*
    (?P<minutes>\d{1,2}(?:\.\d*)?)
    (?:\s*(?:[m:'\u2032]|\s)\s*(?P<seconds>\d{1,2}(?:\.\d*)?)?\s*(?:s|"|\u2033|'')?)?""",
    re.VERBOSE | re.IGNORECASE,
)


class UnreadableTextError(ValueError):
    """A text is no position; `row` counts from 0, and `text` is what the row holds."""

    def __init__(self, row: int, text: str):
        super().__init__(text)
        self.row, self.text = row, text


def read_unit(text: str) -> str | None:
    """Return the standard name of a unit, in any case and brackets; None: it is no angle.

    Parameters
    ----------
    text : str
        Such as ``deg``, ``[DEG]``, ``(degrees)``, ``"h:m:s"``, ``rad``.
    """
    plain = text.strip().strip("\"'[]() \t").strip()
    lower = re.sub(r":ss\.?s+$", ":ss", " ".join(plain.lower().split()))
    for unit, names in _NAMES.items():
        if lower == unit or lower in names:
            return unit
    for spelling in (plain, lower):
        try:
            parsed = u.Unit(spelling)
            size = parsed.to(u.deg)
        except (ValueError, TypeError, u.UnitsError):
            continue
        # astropy writes hours into FITS and VOTable as "15 deg".
        return HOURS if np.isclose(size, 15.0, rtol=1e-9) else parsed.to_string()
    return None


def find_units(
    pair: tuple[str, str],
    stated: Sequence[str | None],
    texts: Mapping[str, np.ndarray | None],
    where: str,
    asked: str | None,
) -> list[str | None]:
    """Find the units of right ascension and declination; None where nothing states one.

    Parameters
    ----------
    pair : tuple of str
        The columns' names.
    stated : sequence of str or None
        Their units, as the table writes them.
    texts : mapping of str to array of str, or None
        Of columns that hold texts, the first of them; None where none can be read.
    where : str
        The table's name in error messages.
    asked : str or None
        The unit that the user says, overriding what the table says.

    Returns
    -------
    list of str or None
        The unit of right ascension and that of declination, as `read_unit` returns them.

    Raises
    ------
    InputError
        If a unit is no angle, or what the columns hold leaves a doubt.
    """
    units = _stated_units(pair, stated, where, asked)
    if pair[0] in texts:
        units[0] = _right_ascension_unit(pair[0], units[0], texts[pair[0]], where, asked)
    if pair[1] in texts:
        units[1] = _declination_unit(pair[1], units[1], texts[pair[1]], where)
    _check_numeric(pair, units, texts, where)
    return units


def degrees(values: np.ndarray, unit: str) -> np.ndarray:
    """Return degrees of one coordinate: float64, NaN where missing; shape as of `values`.

    Parameters
    ----------
    values : array of float64, or of str
    unit : str
        As `read_unit` returns it.

    Returns
    -------
    array of float64, of the shape of `values`
        NaN where a value is missing.

    Raises
    ------
    UnreadableTextError
        If a text is neither empty nor in the unit.
    """
    if unit in (SEXAGESIMAL_HOURS, SEXAGESIMAL_DEGREES):
        return _sexagesimal(values) * (15 if unit == SEXAGESIMAL_HOURS else 1)
    if values.dtype.kind in "OUS":
        values = _decimal(values)
    factor = 15.0 if unit == HOURS else u.Unit(unit).to(u.deg)
    return values.astype(np.float64) * factor


def is_sexagesimal(texts: np.ndarray) -> bool | None:
    """Tell whether the first text that is not empty is sexagesimal; None: all are empty.

    Parameters
    ----------
    texts : array of str
    """
    known = [text.strip() for text in texts.tolist() if text.strip().lower() not in _MISSING]
    return _parts(known[0]) is not None if known else None


def hours_are_possible(texts: np.ndarray) -> bool:
    """Tell whether sexagesimal texts can be right ascensions in hours: all from 0 to 24.

    Parameters
    ----------
    texts : array of str
    """
    parts = [_parts(text) for text in texts.tolist()]
    return all(
        part["mark"].lower() in "h: \t" and not part["sign"].strip("+") and int(part["whole"]) < 24
        for part in parts
        if part is not None
    )


def _parts(text: str) -> re.Match | None:
    return _PARTS.fullmatch(text.strip())


def _sexagesimal(texts: np.ndarray) -> np.ndarray:
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts.tolist()):
        parts = _parts(text)
        if parts is None:
            if text.strip().lower() in _MISSING:
                continue
            raise UnreadableTextError(row, text)
        minutes, seconds = float(parts["minutes"]), float(parts["seconds"] or 0)
        if minutes >= 60 or seconds > 60 or (parts["seconds"] and minutes % 1):
            raise UnreadableTextError(row, text)
        size = int(parts["whole"]) + minutes / 60 + seconds / 3600
        values[row] = size if parts["sign"] in ("", "+") else -size
    return values


def _decimal(texts: np.ndarray) -> np.ndarray:
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts.tolist()):
        if text.strip().lower() in _MISSING:
            continue
        try:
            values[row] = float(text.replace("\u2212", "-"))
        except ValueError:
            raise UnreadableTextError(row, text) from None
    return values


def _stated_units(pair, stated, where, asked: str | None) -> list[str | None]:
    """Return the units that the user or the table states, None where neither does."""
    if asked is not None:
        unit = read_unit(asked)
        if unit is None:
            raise InputError(
                f"{where}: --position-unit {asked} is no angle; say deg, rad or hourangle"
            )
        return [unit, "deg" if unit in (HOURS, SEXAGESIMAL_HOURS) else unit]
    units = []
    for name, text in zip(pair, stated, strict=True):
        unit = read_unit(text) if text else None
        if text and unit is None:
            raise InputError(
                f"{where}: {name} has the unit {text!r}, which is no angle; "
                "say --position-unit deg or --position-unit rad"
            )
        units.append(unit)
    if units[1] in (HOURS, SEXAGESIMAL_HOURS):
        raise InputError(
            f"{where}: {pair[1]} has the unit {stated[1]!r}; hours are for right ascensions "
            "alone, so say --position-unit deg or --position-unit hourangle (of the other column)"
        )
    return units


def _check_numeric(pair, units, texts, where):
    for name, unit in zip(pair, units, strict=True):
        if name not in texts and unit in (SEXAGESIMAL_HOURS, SEXAGESIMAL_DEGREES):
            raise InputError(
                f"{where}: {name} holds numbers and has the unit {unit!r}, which is no angle of "
                "numbers; say --position-unit deg or --position-unit hourangle"
            )


def _right_ascension_unit(name, unit, values, where, asked: str | None) -> str | None:
    """Return the unit of texts, which are decimal or sexagesimal; refuse what leaves a doubt."""
    sexagesimal = None if values is None else is_sexagesimal(values)
    if sexagesimal is None:
        return unit
    if not sexagesimal:
        return _of_decimals(name, unit, where)
    if unit in (None, HOURS, SEXAGESIMAL_HOURS) and hours_are_possible(values):
        return SEXAGESIMAL_HOURS
    if unit == SEXAGESIMAL_DEGREES or (asked is not None and unit == "deg"):
        return SEXAGESIMAL_DEGREES
    raise InputError(
        f"{where}: {name} holds sexagesimal texts that may be hours or degrees (unit "
        f"{unit or 'not stated'}); say --position-unit hourangle or --position-unit deg"
    )


def _declination_unit(name, unit, values, where) -> str | None:
    sexagesimal = None if values is None else is_sexagesimal(values)
    if sexagesimal is None:
        return unit
    if not sexagesimal:
        return _of_decimals(name, unit, where)
    if unit not in (None, "deg", SEXAGESIMAL_DEGREES):
        raise InputError(
            f"{where}: {name} holds sexagesimal texts, but has the unit {unit}; say "
            "--position-unit hourangle or --position-unit deg, whichever the right ascension is in"
        )
    return SEXAGESIMAL_DEGREES


def _of_decimals(name, unit, where) -> str | None:
    if unit in (SEXAGESIMAL_HOURS, SEXAGESIMAL_DEGREES):
        raise InputError(
            f"{where}: {name} has the unit {unit}, but holds decimal numbers; say "
            "--position-unit deg or --position-unit hourangle"
        )
    return unit
