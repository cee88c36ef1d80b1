"""How surveys name the files of their images: one table, to which a layout is one entry."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from catalogs.errors import InputError
from lsbg_classifier.cutouts.image_kinds import (
    BAND_WORD,
    Kind,
    band_of_text,
    band_of_word,
    kind_of_word,
)
from lsbg_classifier.cutouts.image_kinds import words_of as words_of_name

_SUFFIX = re.compile(r"\.(fits|fit|fts)(\.(fz|gz|bz2))?$", re.IGNORECASE)
"""How the names of FITS files end."""


@dataclass(frozen=True)
class Layout:
    """How one survey names its images.

    Attributes
    ----------
    name, title : str
        The short name, and the one for people.
    pattern : re.Pattern
        Matches a file's name without folder and ending. Groups: ``tile``, which the bands of a
        tile have in common, and if the name says them ``band`` and ``kind``.
    survey : str
        The survey in `surveys.SURVEYS` whose colours these images get unless the user names one.
    zero_point : float or None
        AB magnitude of one count in that survey's images, where a file does not say.
    """

    name: str
    title: str
    pattern: re.Pattern
    survey: str
    zero_point: float | None = None

    @property
    def has_own_colours(self) -> bool:
        """Whether `survey` is the survey that took the images."""
        return self.survey == self.name.partition("-")[0]


def _layout(name, title, pattern, survey, zero_point=None) -> Layout:
    return Layout(name, title, re.compile(pattern), survey, zero_point)


LAYOUTS = (
    _layout(
        "des",
        "DES and DELVE coadd tiles",
        r"(?P<tile>(?:DES|DELVE)\d{4}[+-]\d{4})(?:_r\w+?)?_(?P<band>[ugrizYy])(?:_(?P<kind>[a-z]\w*))?",
        "des",
        30.0,
    ),
    _layout(
        "hsc",
        "HSC coadd patches",
        r"calexp-HSC-(?P<band>[GRIZY])\d?-(?P<tile>\d+-\d+,\d+)",
        "hsc",
        27.0,
    ),
    _layout(
        "hsc-cutouts",
        "HSC cutouts of the archive's server",
        r"(?P<tile>\d+-cutout-HSC-(?P<band>[GRIZY])\d?-.+)",
        "hsc",
        27.0,
    ),
    _layout(
        "hsc-named",
        "HSC cutouts named ..._HSC-G",
        r"(?P<tile>.+?)[-_]HSC-(?P<band>[GRIZY])\d?",
        "hsc",
        27.0,
    ),
    _layout(
        "rubin",
        "Rubin deep coadds",
        r"deep_?[cC]oadd(?:_calexp|_predetection)?_(?P<tile>\d+_\d+)_(?P<band>[ugrizy])(?:_.*)?",
        "decals",
        31.4,
    ),
    _layout(
        "decals",
        "Legacy Surveys bricks",
        r"legacysurvey-(?P<tile>\d+[mp]\d+)-(?P<kind>[a-z0-9]+)(?:-(?P<band>[ugrizY]))?",
        "decals",
        22.5,
    ),
    _layout(
        "kids",
        "KiDS tiles",
        r"(?P<tile>KiDS_DR[\d.]+_[-+\d.p]+_[-+\d.p]+)_(?P<band>[ugri])_(?P<kind>[a-z]+)",
        "decals",
        0.0,
    ),
    _layout(
        "cfis",
        "CFIS and UNIONS tiles",
        r"(?P<tile>(?:CFIS|UNIONS|CFIS_LSB)[._]\d+[._]\d+)[._](?P<band>[ugriz])"
        r"(?:[._](?P<kind>[a-z]+))?",
        "decals",
    ),
    _layout(
        "cfhtls",
        "CFHTLS stacks",
        r"(?P<tile>CFHTLS[-_].*?)[-_](?P<band>[ugrizy])(?P<rest>(?:[-_].+)?)",
        "decals",
        30.0,
    ),
    _layout(
        "panstarrs",
        "Pan-STARRS skycells",
        r"(?P<tile>\w+\.v\d+\.skycell\.\d+\.\d+)\.(?:stk|wrp)\.(?P<band>[grizy])"
        r"(?:\.unconv)?(?:\.(?P<kind>[a-z]+))?",
        "decals",
    ),
    _layout(
        "sdss",
        "SDSS frames",
        r"frame-(?P<band>[ugriz])-(?P<tile>\d+-\d+-\d+)",
        "decals",
        22.5,
    ),
    _layout(
        "euclid",
        "Euclid MER tiles",
        r"EUC_MER_(?P<kind>BGSUB-MOSAIC|MOSAIC|BGMOD)-(?:[A-Z0-9]+-)?(?P<band>[A-Za-z]+)"
        r"(?:-(?P<more>[A-Z]+))?_TILE(?P<tile>\d+)-.+",
        "decals",
    ),
)
"""All known layouts; the first whose pattern matches the whole name is taken."""

GENERIC = Layout("other", "other names", re.compile(r"(?P<tile>.+)"), "decals")
"""Names of no known survey: words tell the kind and the band, and what is left is the tile."""


@dataclass(frozen=True)
class FileName:
    """What the name of a file says.

    Attributes
    ----------
    layout : Layout
    tile : str
        The same for all bands of a tile.
    band : str
        "" if the name does not say.
    kind : Kind
    word : str
        The word that says the kind; "" if none does.
    surely : bool
        Whether the user has said the naming, so that no header can contradict it.
    """

    layout: Layout
    tile: str
    band: str
    kind: Kind
    word: str = ""
    surely: bool = False


def is_fits_name(path: str) -> bool:
    """Tell whether a file's name ends as names of FITS files do."""
    return bool(_SUFFIX.search(path))


def read_name(path: str, pattern: re.Pattern | None = None) -> FileName | None:
    """Read what the name of a FITS file says.

    Parameters
    ----------
    path : str
        Relative to the folder of images, with ``/`` between folders.
    pattern : re.Pattern, optional
        The user's own naming; see `compile_pattern`.

    Returns
    -------
    FileName or None
        None if there is a pattern and the name does not follow it.
    """
    if pattern is not None:
        match = pattern.fullmatch(path)
        return match and _by_pattern(path, match.groupdict())
    parent, stem = str(PurePosixPath(path).parent), _SUFFIX.sub("", PurePosixPath(path).name)
    for layout in LAYOUTS:
        if match := layout.pattern.fullmatch(stem):
            return _by_layout(layout, match.groupdict())
    return _by_words(parent, stem)


def _by_layout(layout: Layout, groups: dict) -> FileName:
    rest = groups.get("rest") or ""
    parts = (groups.get("kind"), groups.get("more"), rest)
    words = [word for part in parts if part for word in words_of_name(part)]
    word, kind = _kind_among(words)
    if word:
        rest = re.sub(rf"[-_.]{re.escape(word)}$", "", rest)
    return FileName(layout, groups["tile"] + rest, (groups.get("band") or "").lower(), kind, word)


def _by_words(parent: str, stem: str) -> FileName:
    """Take the words of a kind and the last word of a band out of a name."""
    pieces = re.split(r"([-_., ]+)", stem)  # words, and what is between them
    words = pieces[::2]
    word, kind = _kind_among(words)
    bands = [number for number, each in enumerate(words) if band_of_word(each)]
    band = band_of_word(words[bands[-1]]) if bands else ""
    left = [
        (before, each)
        for number, (before, each) in enumerate(zip(["", *pieces[1::2]], words, strict=True))
        if kind_of_word(each) is None and number not in bands[-1:]
    ]
    name = "".join(before + each for before, each in left).strip("-_., ")
    tile = "/".join(part for part in ("" if parent == "." else parent, name) if part) or "."
    return FileName(GENERIC, tile, band, kind, word)


def _kind_among(words: list[str]) -> tuple[str, Kind]:
    """Return the word that says the kind, and the kind; what is no science image goes first."""
    kinds = [(word, kind) for word in words if (kind := kind_of_word(word)) is not None]
    order = (Kind.OTHER, Kind.WEIGHT, Kind.MASK, Kind.UNSURE, Kind.SCIENCE)
    return min(kinds, key=lambda pair: order.index(pair[1]), default=("", Kind.SCIENCE))


def _by_pattern(path: str, groups: dict) -> FileName:
    texts = [text or "" for name, text in groups.items() if name.startswith(("kind", "any"))]
    word, kind = _kind_among([word for text in texts for word in words_of_name(text)])
    band = band_of_text(groups.get("band") or "")
    tile = groups.get("tile") or str(PurePosixPath(path).parent)
    return FileName(GENERIC, tile, band, kind, word, surely=True)


_FIELDS = {
    "tile": r"(?P<tile>.+)",
    "band": rf"(?P<band>(?:[^/]*?[-_., ])?{BAND_WORD}(?:[-_., ][^/]*?)?)",
    "kind": r"(?P<kind>[^/.]+?)",
}
"""What stands for each part of a name: the tile takes all that is neither band nor kind."""


def compile_pattern(text: str) -> re.Pattern:
    """Return the pattern of names that a user has written.

    Parameters
    ----------
    text : str
        A path below the folder of images in which ``{tile}``, ``{band}`` and ``{kind}`` stand for
        what they say, and ``*`` for anything but ``/``: ``{tile}/{band}-{kind}.fits``. A kind is
        read from what ``*`` stands for, too.

    Raises
    ------
    InputError
        If it names no tile or anything else in braces, or one of them twice.
    """
    wrong = InputError(
        f"tiles {text!r}: write a path with {{tile}} and, where names say them, {{band}} and "
        "{kind}, such as '{tile}/{band}-{kind}.fits'"
    )
    parts = re.split(r"(\{[^{}]*\}|\*)", text)
    names = [part[1:-1] for part in parts if part.startswith("{")]
    if "tile" not in names or not set(names) <= set(_FIELDS) or len(set(names)) < len(names):
        raise wrong
    pieces = [
        rf"(?P<any{number}>[^/]*)"
        if part == "*"
        else _FIELDS[part[1:-1]]
        if part[:1] == "{"
        else re.escape(part)
        for number, part in enumerate(parts)
    ]
    return re.compile("".join(pieces))
