"""By which names tables call their positions, and which of several counts."""

import re
from collections.abc import Iterable, Iterator, Mapping

from catalogs.position_units import read_unit

FAMILIES = (
    # SourceExtractor writes several estimates at once: the first of them counts.
    (
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
        ("ALPHAPEAK_J2000", "DELTAPEAK_J2000"),
        ("ALPHAPSF_J2000", "DELTAPSF_J2000"),
        ("ALPHAMODEL_J2000", "DELTAMODEL_J2000"),
        ("ALPHA_SKY", "DELTA_SKY"),
        ("ALPHAWIN_SKY", "DELTAWIN_SKY"),
        ("ALPHAPEAK_SKY", "DELTAPEAK_SKY"),
        ("X_WORLD", "Y_WORLD"),
        ("XWIN_WORLD", "YWIN_WORLD"),
        ("XPEAK_WORLD", "YPEAK_WORLD"),
    ),
    (("world_centroid_alpha", "world_centroid_delta"),),
    (("RA", "DEC"),),
    (("coord_ra", "coord_dec"),),
    # VizieR writes computed J2000 in degrees beside the catalog's own columns.
    (
        ("RA_ICRS", "DE_ICRS"),
        ("RA_ICRS", "DEC_ICRS"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("_RA.icrs", "_DE.icrs"),
        ("_RA_icrs", "_DE_icrs"),
        ("_RA", "_DE"),
    ),
    (("RAdeg", "DEdeg"), ("RAdeg", "DECdeg"), ("ra_deg", "dec_deg"), ("RAdegrees", "DECdegrees")),
    (("RA_J2000", "DEC_J2000"), ("RA_J2000", "DE_J2000"), ("RAJ2000", "DECJ2000")),
    (("ra2000", "dec2000"), ("ra2000", "decl2000"), ("RA2000", "DE2000")),
    (("raMean", "decMean"), ("RAmean", "DEmean")),
    (("raStack", "decStack"),),
    (("right_ascension", "declination"),),
    (("TARGET_RA", "TARGET_DEC"), ("RA_TARG", "DEC_TARG")),
    (("i_ra", "i_dec"), ("r_ra", "r_dec"), ("z_ra", "z_dec"), ("y_ra", "y_dec"), ("g_ra", "g_dec")),
    (("objra", "objdec"), ("RA_OBJ", "DEC_OBJ")),
    (
        ("sky_centroid.ra", "sky_centroid.dec"),
        ("skycoord.ra", "skycoord.dec"),
        ("sky.ra", "sky.dec"),
    ),
)  # fmt: skip
"""Pairs of names in their order, in any case. Of a family the first pair in the table counts; two
families must agree. Names of a match by TOPCAT end in ``_1`` as well: see `named_pairs`."""

_MATCHED = "_1"
_BRACKET = re.compile(r"(.*\S)\s*[(\[]([^()\[\]]*)[)\]]\s*", re.DOTALL)
"""A name that says something in brackets: ``RA (deg)``, ``Dec[J2000]``."""

_IN_DEGREES = ("alpha", "_world", "deg")
"""Parts of names of right ascensions that are degrees by their definition."""


def named_pairs(names: Iterable[str], usable) -> list[tuple[str, str]]:
    """List the pairs of position columns, the first of each family, in the order of `FAMILIES`.

    Parameters
    ----------
    names : iterable of str
        Of all columns.
    usable : callable
        Given a pair, tells whether it is numbers: such a pair is taken before one of texts.

    Returns
    -------
    list of (str, str)
        Spelled as in the table; several of one family only where they differ in case alone.
    """
    spellings = _spellings(names)
    for ending in ("", _MATCHED):
        pairs = []
        for family in FAMILIES:
            choices = list(_in_family(family, spellings, ending))
            choices.sort(key=lambda choice: not all(map(usable, choice)))  # stable
            pairs += choices[0] if choices else []
        if pairs:
            return pairs
    return []


def _spellings(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names by their lower case, those with something in brackets also without it."""
    spellings: dict[str, list[str]] = {}
    shortened: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.lower(), []).append(name)
        bracket = _BRACKET.fullmatch(name)
        if bracket:
            shortened.setdefault(bracket[1].lower(), []).append(name)
    return shortened | spellings


def unit_in_name(name: str) -> str | None:
    """Return the unit of an angle that a name ends with in brackets, as in ``RA (deg)``."""
    bracket = _BRACKET.fullmatch(name)
    return read_unit(bracket[2]) if bracket else None


def _in_family(family, spellings, ending) -> Iterator[list[tuple[str, str]]]:
    for ra, dec in family:
        ras, decs = (spellings.get(f"{name}{ending}".lower(), []) for name in (ra, dec))
        if ras and decs:
            alike = [(one, other) for one in ras for other in decs if _case(one) == _case(other)]
            is_whole = {one for one, _ in alike} == {*ras} and {other for _, other in alike} == {
                *decs
            }
            yield alike if is_whole else [(one, other) for one in ras for other in decs]


def _case(name: str) -> tuple[bool, bool, bool]:
    """Return in which case a name is written."""
    return name.islower(), name.isupper(), name.istitle()


def is_in_degrees(ra: str) -> bool:
    """Tell whether a right ascension of this name is in degrees where no unit is stated."""
    name = ra.lower().removesuffix(_MATCHED)
    return any(part in name for part in _IN_DEGREES)


def of_sky_coordinates(names: Iterable[str]) -> list[tuple[str, str]]:
    """List the pairs of columns ``X.ra`` and ``X.dec`` that astropy writes of a ``SkyCoord``."""
    known = set(names)
    stems = (name.removesuffix(".ra") for name in known if name.endswith(".ra"))
    return sorted((f"{stem}.ra", f"{stem}.dec") for stem in stems if f"{stem}.dec" in known)


def pairs_by_ucd(ucds: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """List the pair that UCDs call the position: that of ``meta.main``, or the only one.

    Parameters
    ----------
    ucds : mapping of str to str or None
        UCD1+ (``pos.eq.ra;meta.main``) or UCD1 (``POS_EQ_RA_MAIN``) of each column.
    """
    for main in (True, False):
        ras, decs = (_with_ucd(ucds, axis, main) for axis in ("ra", "dec"))
        if len(ras) == len(decs) == 1:
            return [(ras[0], decs[0])]
    return []


def _with_ucd(ucds, axis: str, main: bool) -> list[str]:
    names = []
    for name, ucd in ucds.items():
        words = [word.strip() for word in (ucd or "").lower().split(";")]
        new = words[0] == f"pos.eq.{axis}" and not (main and "meta.main" not in words)
        if new or words[0] in (f"pos_eq_{axis}_main", *(() if main else (f"pos_eq_{axis}",))):
            names.append(name)
    return names
