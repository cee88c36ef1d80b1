"""Coordinates in headers as the standard has them, from what others write."""

import re

import numpy as np

from catalogs.position_units import HOURS, read_unit

_NUMBERS = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)0{0,2}[12]_?0{0,2}[12]|LONPOLE|LATPOLE"
    r"|PV[12]_\d+|(A|B|AP|BP)_(ORDER|\d_\d)"
)
"""Keywords of coordinates that are numbers; wcslib passes over those that are texts."""

_YEAR = re.compile(r"[JB]?\s*(\d+(\.\d*)?)", re.IGNORECASE)
"""An equinox that a header has as text, such as ``J2000.0``."""

_EQUINOXES = (1900.0, 1950.0, 2000.0)
"""What EPOCH says where it stands for EQUINOX, as it did before that keyword."""

_FRAME = re.compile(r"(ICRS|FK5|FK4-NO-E|FK4)(?![A-Z0-9])")
_EPOCHS = {"J2000": "FK5", "J2000.0": "FK5", "B1950": "FK4", "B1950.0": "FK4"}
"""Frames as RADESYS names them, and others write them."""

_TERM = re.compile(r"PV([12])_(\d+)")
"""Keywords of the parameters of a projection, or of the terms of SCAMP's distortion."""

_SIP_TERM = re.compile(r"(A|B|AP|BP)_(ORDER|DMAX|\d_\d)")

_SAME_MATRIX = 1e-3
"""Fraction by which two matrices of one image may differ."""

_SAME_TURN = 0.01
"""Radians by which two rotations may differ, one of which is often rounded."""


def standard_header(header):
    """Return a header whose coordinates are written as the standard has them.

    Parameters
    ----------
    header : astropy.io.fits.Header

    Returns
    -------
    astropy.io.fits.Header
        The same, or a copy with what is meant: ``deg`` for ``DEGREES``, ICRS for ``icrs``, numbers
        for texts, and distortions named in CTYPE.

    Raises
    ------
    ValueError
        If something is not understood, or contradicts itself; the message says what.
    """
    header = _in_standard_form(header)
    _check_matrix(header)
    return _with_all_said(header)


def _in_standard_form(header):
    """Write coordinates as the standard has them: ``deg`` for ``DEGREES``, 150 for ``'150'``."""
    changes: dict[str, str | float] = {}
    for key in ("CUNIT1", "CUNIT2"):
        stated = str(header.get(key, "")).strip()
        unit = read_unit(stated) if stated else ""
        if unit is None or ":" in unit or unit == HOURS:
            raise ValueError(f"{key} is {stated!r}; write deg if its coordinates are in degrees")
        changes[key] = unit
    for key in ("CTYPE1", "CTYPE2"):
        changes[key] = str(header.get(key, "")).strip().upper()
    for key in filter(_NUMBERS.fullmatch, header):
        if isinstance(header[key], str):
            changes[key] = _number(key, header[key])
    changes |= _frame_in_standard_form(header, str(changes["CTYPE1"]))
    changes = {key: value for key, value in changes.items() if header.get(key, "") != value}
    if changes:
        header = header.copy()
        header.update(changes)
    return header


def _number(key: str, text: str) -> float:
    """Read a number that a header has as text."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{key} is {text!r}, not a number") from None
    return int(number) if key.endswith("ORDER") else number


def _frame_in_standard_form(header, ctype: str) -> dict[str, str | float]:
    """Return equinox and frame as the standard has them: 1950 for ``'B1950'``, FK5 for ``fk5``."""
    changes: dict[str, str | float] = {}
    for key in ("EQUINOX", "EPOCH"):
        text = header.get(key)
        if isinstance(text, str) and text.strip():
            if year := _YEAR.fullmatch(text.strip()):
                changes[key] = float(year[1])
            elif key == "EQUINOX":
                raise ValueError(f"EQUINOX is {text!r}, not a year; write 2000.0 or 1950.0")
    for key in ("RADESYS", "RADECSYS"):
        text = str(header.get(key, "")).strip().upper()
        frame = _FRAME.match(text)
        changes[key] = frame[1] if frame else _EPOCHS.get(text, text)
        if text and changes[key] == text and not frame and ctype.startswith(("RA", "DEC")):
            raise ValueError(f"{key} is {text!r}; write ICRS, FK5 or FK4")
    if ctype.startswith(("RA", "DEC")) and "ICRS" not in changes.values():
        _check_epoch(header, changes.get("EPOCH", header.get("EPOCH")))
    return changes


def _check_epoch(header, epoch):
    """Refuse EPOCH instead of EQUINOX, unless its value is that of an equinox in use."""
    if "EQUINOX" not in header and isinstance(epoch, int | float) and epoch not in _EQUINOXES:
        raise ValueError(
            f"EPOCH is {epoch:g}, which may be of the coordinates or of the observation; write "
            "EQUINOX or RADESYS"
        )


def _with_all_said(header):
    """Write what is meant without being said: SIP and TPV in CTYPE, and the factors of 1 of TPV.

    SIP is applied where its coefficients are there, and TPV where those of SCAMP are; where both
    are, they say the same, and CTYPE which. The first-order term of TPV is 1 unless it is there,
    which wcslib takes for 0.
    """
    ctype = str(header.get("CTYPE1", "")).strip()
    changes: dict[str, str | float] = {}
    if ctype.endswith(("-TAN", "-TAN-SIP")) and _has_scamp_terms(header):
        header = header.copy()
        unused = _TERM if ctype.endswith("-SIP") else _SIP_TERM
        for key in list(filter(unused.fullmatch, header)):
            del header[key]
        if ctype.endswith("-TAN"):
            header.update({key: header[key].strip()[:-3] + "TPV" for key in ("CTYPE1", "CTYPE2")})
            ctype = header["CTYPE1"]
    if "A_ORDER" in header and ctype.endswith("-TAN"):
        for axis in "12":
            changes[f"CTYPE{axis}"] = f"{str(header[f'CTYPE{axis}']).strip()}-SIP"
    if ctype.endswith("-TPV"):
        changes |= {f"PV{axis}_1": 1.0 for axis in "12" if f"PV{axis}_1" not in header}
    if changes:
        header = header.copy()
        header.update(changes)
    return header


def _has_scamp_terms(header) -> bool:
    """Tell whether PV keywords of a tangent plane are terms of a distortion, as SCAMP writes them.

    By the standard it has none for the latitude, and no more than four for the longitude.
    """
    latitude = "1" if str(header["CTYPE1"]).startswith(("DEC", "GLAT")) else "2"
    terms = ((_TERM.fullmatch(key), header[key]) for key in header)
    return any(
        term and value and (term[1] == latitude or int(term[2]) > 4) for term, value in terms
    )


def _check_matrix(header):
    """Refuse scale and rotation that are said in two ways, or by CROTA1 where CROTA2 is meant.

    CROTA2 beside a CD matrix does not count: programs leave it as it was.
    """
    cd, pc = (_matrix(header, name) for name in ("CD", "PC"))
    steps = np.array([header.get(f"CDELT{axis}", 1.0) for axis in (1, 2)])
    if cd is not None and pc is not None:
        if abs(steps[:, None] * pc - cd).max() > _SAME_MATRIX * abs(cd).max():
            raise ValueError("its CD and PC matrices contradict each other; remove the wrong one")
    first, second = (header.get(f"CROTA{axis}") or 0.0 for axis in (1, 2))
    is_latitude_first = str(header.get("CTYPE1", "")).startswith(("DEC", "GLAT"))
    if is_latitude_first:
        first, second = second, first
    if cd is None and pc is None and first and not second:
        raise ValueError("CROTA1 and CROTA2 contradict each other; write the rotation into CROTA2")
    if cd is None and pc is not None and second and not is_latitude_first:
        cosine, sine = np.cos(np.radians(second)), np.sin(np.radians(second))
        turned = np.array([[cosine, -sine], [sine, cosine]]) * steps / steps[:, None]
        if abs(pc - turned).max() > _SAME_TURN:
            raise ValueError("CROTA2 and the PC matrix contradict each other; remove the wrong one")


def _matrix(header, name: str) -> np.ndarray | None:
    """Return the CD or PC matrix of a header, shape (2, 2); None if it has none."""
    matrix = np.eye(2) if name == "PC" else np.zeros((2, 2))
    keys = {
        (i, j): key
        for i in (0, 1)
        for j in (0, 1)
        for key in (f"{name}00{i + 1}00{j + 1}", f"{name}{i + 1}_{j + 1}")
        if key in header
    }
    for place, key in keys.items():
        matrix[place] = header[key]
    return matrix if keys else None
