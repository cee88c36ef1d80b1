"""How much flux one count of an image stands for, as the file itself says it.

A file says it by the unit of its pixels (``BUNIT``), by a zero point under one of many names, or
by the AB magnitude of its counts. All that it says must agree.
"""

import math
import re
from dataclasses import dataclass

from astropy import units as u
from astropy.io import fits

from lsbg_classifier.cutouts.colours import NANOMAGGIE_ZERO_POINT

_ZERO_POINTS = (
    *("MAGZERO", "MAGZP", "MAGZPT", "MAG_ZP", "MAG0", "PHOTZP", "ZEROPNT", "ZEROPT", "ZEROPOINT"),
    *("ZP", "ZPT", "MZP_AB", "ZP_AB", "MAGZP_AB", "ABZP", "ZPAB", "ABMAGZP", "MAGZPAB", "MAGZEROP"),
)
"""Keywords of the AB magnitude of one count."""

_DOUBTFUL = (*_ZERO_POINTS, "ZPOINT", "ZEROPNT", "MAGZPT")
"""Last words of HIERARCH keywords, as in ``ESO PHOT ZP``, that may be of one count, of one count a
second, or of Vega."""

_OF_ONE_SECOND = {"MAGZPT": "MAGZRR"}
"""Zero points that are of one count a second where another keyword is there, too: those of the
Cambridge Astronomical Survey Unit, for VISTA, VST ATLAS and others."""

_LIKE_ZERO_POINT = re.compile(r"ZP|ZERO_?P|ZERO_?MAG|MAG_?Z|ZMAG|PHOT_?C\b", re.IGNORECASE)
_LIKELY = 15.0, 40.0
"""Other keywords that may be of one, and values that make it likely."""

_SPACE = ("PHOTFNU", "PHOTFLAM")
"""Keywords of space telescopes: Jy, or erg/s/cm2/Angstrom, of one count a second."""

_MAGNITUDE_SYSTEMS = ("MAGSYS", "MAGSYST", "PHOTSYS", "ZPSYS", "PHOTSYST")
"""Keywords of the system that magnitudes are in."""

_VEGA, _AB = re.compile(r"vega", re.IGNORECASE), re.compile(r"\bAB\b")
"""Comments of zero points of either system."""

_SENSIBLE = (-10.0, 60.0)
"""Zero points outside of this stand for "unknown", as 99 and -999 do."""

_SAME = 0.01
"""Fraction by which two statements about one image may differ."""

_LIGHT = 2.99792458e18
"""Angstrom a second."""

_JANSKY_ZERO_POINT = 8.9
"""AB magnitude of 1 Jy."""

_AREAS = {"PIXAR_SR": 1.0, "PIXAR_A2": math.radians(1 / 3600) ** 2}
"""Keywords of the area of a pixel, and the steradians of their units."""

_SAME_AREA = 0.1
"""Fraction by which it may differ from the area by the coordinates, which is that of one pixel."""

_MAGGY = re.compile(r"(n(?:ano)?)?m(aggie|aggy|gy)s?")
_COUNTS = re.compile(
    r"(adu|count|ct|dn|electron|e-?|photon|ph|photoelectron)s?"
    r"(\s*(/|per)\s*s(ec(ond)?)?s?|\s*s\s*(\^|\*\*)?-1)?|cps|none|arbitrary|relative( flux)?"
)
_POWER = re.compile(
    r"\s*(?:1[.0]*e|10\s*(?:\*\*|\^|\*)?\s*)\(?([+-]\d+)\)?\s*\*?\s*", re.IGNORECASE
)
"""A power of ten before a unit, as in ``10**-29 W/m2/Hz`` and ``1e-29 erg/s/cm2/Hz``."""

_COMMENT = re.compile(r"^\[(.*)\]$|\s*[([](?:ab|ab mag.*|linear)[)\]]$", re.IGNORECASE)
"""What people write around a unit: ``[nanomaggy]``, ``nanomaggies (AB)``."""

_FLUX_WORD = re.compile(
    r"jy|jansky|\bmag|mags?\b|magg|mgy|erg|hz|\bsr\b|arcsec|w\s*/?\s*m|flux density", re.IGNORECASE
)
"""Says that a unit is one of flux density or brightness, even if it is not known which."""

_PER_SECOND = re.compile(r"(/|per)\s*s(?!r)|s\s*(\^|\*\*)?-1|cps", re.IGNORECASE)

_PER_PIXEL = re.compile(r"\s*((/|\bper\b)\s*pix(el)?|\s+pix(el)?\s*(\^|\*\*)?-1)$")
_JANSKYS = {
    "njy": 1e-9,
    "nanojansky": 1e-9,
    "ujy": 1e-6,
    "µjy": 1e-6,
    "μjy": 1e-6,
    "microjy": 1e-6,
    "microjansky": 1e-6,
    "mujy": 1e-6,
    "jy": 1.0,
    "jansky": 1.0,
}
"""Units that headers write in any case."""

_VIEWER_KINDS = ("image", "invvar", "maskbits")
"""What the sky viewer's FITS cutouts say that their extensions are."""

_ASINH_ZERO_POINT = 25.0
"""AB magnitude of one count a second in stacks of Pan-STARRS (Waters et al. 2020)."""

_WRONG_UNIT = (
    "BUNIT {} is no known unit of flux that colours can be made of; write one such as nJy or "
    "nanomaggy, or remove the keyword and give a zero point"
)


class ScaleError(ValueError):
    """What a header says of the flux scale makes no sense; the message says why."""


@dataclass(frozen=True)
class FluxScale:
    """What a file says of its own fluxes.

    Attributes
    ----------
    nanomaggies : float or None
        What one count stands for; None where the file does not say.
    source : str
        The keywords and values that say it, and where they are.
    asinh : tuple of float, or None
        BOFFSET and BSOFTEN where pixels hold inverse hyperbolic sines of counts.
    per_native_pixel : bool
        Whether fluxes are per pixel of the survey, whatever the image's own pixels: so are those
        of the sky viewer's cutouts.
    unread : str
        A keyword that may say it where nothing else does, but in no way that is known for sure.
    """

    nanomaggies: float | None = None
    source: str = ""
    asinh: tuple[float, float] | None = None
    per_native_pixel: bool = False
    unread: str = ""


def zero_point_to_nanomaggies(zero_point: float) -> float:
    """Return how many nanomaggies one count of a zero point (AB magnitudes) is."""
    return 10 ** (-0.4 * (zero_point - NANOMAGGIE_ZERO_POINT))


def read_flux_scale(header, primary, pixel_area: float) -> FluxScale:
    """Read what a file says of the flux scale of an image.

    Parameters
    ----------
    header : mapping
        The image's own header.
    primary : mapping
        The primary header, which says what the image's own does not.
    pixel_area : float
        Steradians of one pixel.

    Returns
    -------
    FluxScale

    Raises
    ------
    ScaleError
        If two statements contradict each other, or one makes no sense.
    """
    header = _Headers(header, primary)
    asinh = _asinh(header)
    statements = [*_by_unit(header, pixel_area), *_by_zero_point(header), *_by_space(header)]
    if asinh is not None:
        statements.append(_by_exposure(header))
    _check_agreement(statements)
    from_viewer = _is_from_viewer(header) and not _are_others(statements)
    if not statements and from_viewer:
        statements.append((1.0, "cutout of the sky viewer"))
    nanomaggies, source = statements[0] if statements else (None, "")
    return FluxScale(nanomaggies, source, asinh, from_viewer, "" if source else header.doubtful())


class _Headers:
    """A header, and the primary one behind it."""

    def __init__(self, own, primary):
        self._own, self._primary = own, primary

    def __contains__(self, keyword):
        return keyword in self._own or keyword in self._primary

    def get(self, keyword: str):
        """Return a value, None if there is none or it is empty."""
        for header in (self._own, self._primary):
            value = header.get(keyword)
            is_value = isinstance(value, str | int | float) and not isinstance(value, bool)
            if is_value and str(value).strip():
                self._check_single(header, keyword)
                return value
        return None

    def _check_single(self, header, keyword: str):
        """Refuse a keyword that a header has several times, with different values."""
        if isinstance(header, fits.Header) and keyword in header and header.count(keyword) > 1:
            values = [header[keyword, number] for number in range(header.count(keyword))]
            if len(set(values)) > 1:
                listed = " and ".join(map(str, values))
                raise ScaleError(f"{keyword} is there several times, {listed}; keep the right one")

    def comment(self, keyword: str) -> str:
        """Return what is written beside a value."""
        header = self._own if keyword in self._own else self._primary
        return header.comments[keyword] if isinstance(header, fits.Header) else ""

    def number(self, keyword: str) -> float | None:
        """Return a finite number, also one written as text; None if there is no value."""
        value = self.get(keyword)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            raise ScaleError(
                f"{keyword} is {value!r}, not a number; correct or remove it"
            ) from None
        if not math.isfinite(number):
            raise ScaleError(f"{keyword} is {number}; correct or remove it")
        return number

    def doubtful(self) -> str:
        """Return a keyword that may be a zero point, with its value; "" if there is none."""
        for header in (self._own, self._primary):
            for keyword in header:
                words = keyword.upper().split()
                is_zero_point = len(words) > 1 and words[-1] in _DOUBTFUL
                is_like_one = _LIKE_ZERO_POINT.search(keyword) is not None
                if not (is_zero_point or is_like_one or keyword in _SPACE):
                    continue
                value = header[keyword]
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                if is_zero_point or not is_like_one or _LIKELY[0] < value < _LIKELY[1]:
                    return f"{keyword} {value:g}"
        return ""

    def where(self, keyword: str) -> str:
        """Say in which header a keyword is."""
        return "" if keyword in self._own else " in the primary header"


def _by_unit(header: _Headers, pixel_area: float) -> list[tuple[float, str]]:
    """Return nanomaggies a count by BUNIT; nothing for counts and unknown units."""
    unit = header.get("BUNIT")
    text = unit.strip() if isinstance(unit, str) else ""
    janskys = _janskys(text, pixel_area)
    if janskys is None:
        return []
    if _janskys(text, 2 * pixel_area) != janskys:  # a surface brightness
        _check_area(header, pixel_area)
    nanomaggies = janskys * zero_point_to_nanomaggies(_JANSKY_ZERO_POINT)
    return [(nanomaggies, f"BUNIT {text}{header.where('BUNIT')}")]


def _check_area(header: _Headers, pixel_area: float):
    """Refuse an image whose pixels have another area than its header says."""
    for keyword, unit in _AREAS.items():
        area = header.number(keyword)
        if area is not None and abs(area * unit / pixel_area - 1) > _SAME_AREA:
            raise ScaleError(
                f"{keyword} {area:.4g} and its coordinates, by which a pixel has "
                f"{pixel_area / unit:.4g}, contradict each other; correct {keyword}, or remove it"
            )


def _janskys(text: str, pixel_area: float) -> float | None:
    """Return how many Jy a pixel one of a unit is; None for counts and what is no known unit."""
    plain = _PER_PIXEL.sub("", _COMMENT.sub(lambda match: match[1] or "", text))
    if power := _POWER.match(plain):
        try:
            janskys = _janskys(plain[power.end() :], pixel_area)
        except ScaleError:
            janskys = None
        if janskys is None:
            raise ScaleError(_WRONG_UNIT.format(text))
        return 10.0 ** int(power[1]) * janskys
    lower = plain.lower()
    if match := _MAGGY.fullmatch(lower):
        return (1 if match[1] else 1e9) / zero_point_to_nanomaggies(_JANSKY_ZERO_POINT)
    if not plain or _COUNTS.fullmatch(lower):
        return None
    if lower in _JANSKYS:
        return _JANSKYS[lower]
    if lower.replace(" ", "") in ("mjy/sr", "mjysr-1", "mjysr^-1", "mjysr**-1"):
        return 1e6 * pixel_area  # megajansky: nobody writes millijansky per steradian
    unit = u.Unit(plain, parse_strict="silent")
    if isinstance(unit, u.UnrecognizedUnit) and _FLUX_WORD.search(plain):
        raise ScaleError(_WRONG_UNIT.format(text))
    if isinstance(unit, u.UnrecognizedUnit) or unit.is_equivalent(u.dimensionless_unscaled):
        return None
    if isinstance(unit, u.function.FunctionUnitBase):
        raise ScaleError(_WRONG_UNIT.format(text))
    for kind, area in ((u.Jy, 1.0), (u.Jy / u.sr, pixel_area)):
        if unit.is_equivalent(kind):
            return float(unit.to(kind)) * area
    if any(unit.is_equivalent(known) for known in (u.adu, u.ct, u.electron, u.ph)):
        return None
    raise ScaleError(_WRONG_UNIT.format(text))


def _by_zero_point(header: _Headers) -> list[tuple[float, str]]:
    """Return nanomaggies a count by every keyword of a zero point that has a value."""
    statements = []
    system = next((str(header.get(key)) for key in _MAGNITUDE_SYSTEMS if key in header), "")
    for keyword in _ZERO_POINTS:
        value = header.number(keyword)
        beside = _OF_ONE_SECOND.get(keyword)
        if value is None or (beside is not None and beside in header):
            continue
        if not _SENSIBLE[0] <= value <= _SENSIBLE[1]:
            raise ScaleError(f"{keyword} is {value:g}, which is no zero point")
        comment = header.comment(keyword)
        if "vega" in system.lower() or (_VEGA.search(comment) and not _AB.search(comment)):
            raise ScaleError(f"{keyword} is of Vega magnitudes; convert it to AB")
        source = f"{keyword} {value:g}{header.where(keyword)}"
        statements.append((zero_point_to_nanomaggies(value), source))
    flux = header.number("FLUXMAG0")
    if flux is not None:
        if flux <= 0:
            raise ScaleError(f"FLUXMAG0 is {flux:g}, which is no flux")
        nanomaggies = zero_point_to_nanomaggies(2.5 * math.log10(flux))
        statements.append((nanomaggies, f"FLUXMAG0 {flux:g}{header.where('FLUXMAG0')}"))
    return statements


def _by_space(header: _Headers) -> list[tuple[float, str]]:
    """Return nanomaggies a count by the keywords of HST and other telescopes in space.

    They are of one count a second. Only where BUNIT tells whether pixels are divided by the time of
    exposure, are they read.
    """
    rates = {"PHOTFNU": header.number("PHOTFNU")}
    flam, wavelength = header.number("PHOTFLAM"), header.number("PHOTPLAM")
    if flam and wavelength:  # erg/s/cm2/Angstrom and Angstrom to Jy
        rates["PHOTFLAM and PHOTPLAM"] = flam * wavelength**2 / _LIGHT * 1e23
    unit = header.get("BUNIT")
    text = unit.strip() if isinstance(unit, str) else ""
    if not text or not _COUNTS.fullmatch(text.lower()):
        return []
    seconds = 1.0 if _PER_SECOND.search(text) else header.number("EXPTIME")
    if seconds is None or seconds <= 0:
        return []
    per_jansky = zero_point_to_nanomaggies(_JANSKY_ZERO_POINT) / seconds
    return [
        (jansky * per_jansky, f"{source} of {text}")
        for source, jansky in rates.items()
        if jansky is not None and jansky > 0
    ]


def _asinh(header: _Headers) -> tuple[float, float] | None:
    """Return BOFFSET and BSOFTEN, None where pixels hold plain counts."""
    if "BSOFTEN" not in header:
        return None
    softening, offset = header.number("BSOFTEN"), header.number("BOFFSET")
    if softening is None or softening <= 0:
        raise ScaleError(f"BSOFTEN is {softening}, which is no softening")
    return offset or 0.0, softening


def _by_exposure(header: _Headers) -> tuple[float, str]:
    """Return nanomaggies a count of a Pan-STARRS stack, by its time of exposure."""
    seconds = header.number("EXPTIME")
    if seconds is None or seconds <= 0:
        raise ScaleError("BSOFTEN is there, but no EXPTIME that gives the zero point")
    zero_point = _ASINH_ZERO_POINT + 2.5 * math.log10(seconds)
    return zero_point_to_nanomaggies(zero_point), f"BSOFTEN and EXPTIME {seconds:g}"


def _is_from_viewer(header: _Headers) -> bool:
    """Tell whether this is a FITS cutout of the Legacy Surveys' sky viewer."""
    if "BANDS" in header and "BAND0" in header:
        return True
    kind = str(header.get("IMAGETYP") or "").lower()
    return "SURVEY" in header and "VERSION" in header and kind in _VIEWER_KINDS


def _are_others(statements: list[tuple[float, str]]) -> bool:
    """Tell whether a file says another flux scale than nanomaggies, as the viewer's never do."""
    return any(abs(nanomaggies - 1) > _SAME for nanomaggies, _ in statements)


def _check_agreement(statements: list[tuple[float, str]]):
    for nanomaggies, source in statements[1:]:
        first, first_source = statements[0]
        if abs(nanomaggies / first - 1) > _SAME:
            raise ScaleError(
                f"{first_source} and {source} contradict each other; correct the wrong one"
            )
