"""What the image in a file is: science, weight, mask or something else; and in which band.

Both are read from names of files, split into words, and from headers. To know another word is one
entry in a table here.
"""

import re
from enum import StrEnum

BANDS = ("u", "g", "r", "i", "z", "y")
"""The bands that an image can be of; what is written as Y is y here."""


class Kind(StrEnum):
    """What an image shows."""

    SCIENCE = "science"
    WEIGHT = "weight"
    """Zero where there are no data: weights and inverse variances."""
    MASK = "mask"
    OTHER = "other"
    """Never a science image: noise, sky, model, and so on."""
    UNSURE = "unsure"
    """No science image if one of the same place and band lies beside it."""


_WORDS = {
    Kind.SCIENCE: "sci science image img coadd calexp intensity ooi opi osi osj",
    Kind.WEIGHT: (
        "weight weights wei wgt wht wt invvar ivar ivm iv inversevariance weightmap "
        "wmap whtmap wtmap invvarmap ivarmap conf confmap oow opw osw"
    ),
    Kind.MASK: (
        "mask masks msk maskbits flag flags flg dq dqm badpix bpm quality maskmap flagmap dqmask "
        "bpmask badpixmask badpixelmask ood opd osd"
    ),
    Kind.OTHER: (
        "rms err error errors sigma std stddev unc uncertainty var variance noise "
        "bkg bkgd background backgr bgmod exptime expmap exposure nexp nimage depth galdepth "
        "psfdepth psf psfs psfsize psfmodel copsf fwhm model models blobmodel chi chi2 chisq resid "
        "residual residuals seg segm segmap segmentation det detection ccds tractor catalog "
        "catalogue aperture apertures objects snr cov covariance coverage wise bkgrms "
        "backrms skyrms rmsmap errmap errormap sigmamap noisemap stdmap varmap "
        "variancemap exposuremap expwt exptimemap depthmap coveragemap nimg "
        "nexpmap numap context modelimage skymodel diff difference diffim diffexp uncert "
        "label labels ebv extinction thumb thumbnail preview quicklook flat bias objmask starmask "
        "segmask aper apers galfit stat ooe ope ose"
    ),
    Kind.UNSURE: "sky back bg exp num map cat check sig nobkg mod masked bkgsub skysub template",
}
_KIND_OF_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}

_LONGER_WORD = re.compile(r"([a-z]{2,}?)(?:map|image|img|im)?\d{0,2}")
"""A word of the table, and what often follows it."""

_NUMBERED = ("det", "exp", "num")
"""Words that are something else with a number: a detector, an exposure."""

_KIND_KEYWORDS = ("EXTNAME", "IMAGETYP", "IMTYPE", "DES_EXT", "EXTTYPE", "DATATYPE", "PRODTYPE")
"""Header keywords that say what an image is; only words of the table are believed."""

_NAME_OF_ANY = "COMPRESSED_IMAGE"
"""Name that libraries give to any compressed extension."""

_INVERSE = re.compile(r"1\s*/.*|(\(.*\)|\w+?)\s*(\^|\*\*)?\s*\(?-2\)?")
"""Units of inverse variances, as in ``1/nanomaggy^2``; but not ``nJy arcsec-2``."""

_BEFORE_BAND, _AFTER_BAND = (
    "(?:band|filter|sdss|sloan)?",
    r"(?:band|sdss|sloan|p?\d|p|'|\+|prime|s)?",
)

BAND_WORD = f"(?i:{_BEFORE_BAND}[ugrizy]{_AFTER_BAND})"
"""Matches a word that names a band."""

_BAND_WORD = re.compile(f"{_BEFORE_BAND}([ugrizy]){_AFTER_BAND}", re.IGNORECASE)
_BAND_KEYWORDS = ("BANDS", "BAND", "FILTER", "FILTER1", "FILTER2", "FILTNAM", "FPA.FILTER")
_NUMBERED_KEYWORDS = ("BAND", "FILTER", "FILT")
"""With a number, from 0 or 1 on, the band of each plane of a cube."""

_LIST_KEYWORDS = ("BANDS", "FILTERS", "FILTER", "BAND")
"""With a list, the bands of all planes of a cube."""

_MORE_KEYWORDS = re.compile(r"(^|[ ._])(FILT|BAND)")
"""Other keywords, HIERARCH ones as well, that may name a filter."""


def words_of(text: str) -> list[str]:
    """Split a name into words: at hyphens, underscores, points, commas and spaces."""
    return re.split(r"[-_., ]+", text)


def kind_of_word(word: str) -> Kind | None:
    """Return the kind of image that a word names, such as ``rms``, ``rmsimage`` or ``err1``.

    None if it names none.
    """
    lower = word.lower()
    if lower in _KIND_OF_WORD:
        return _KIND_OF_WORD[lower]
    longer = _LONGER_WORD.fullmatch(lower)
    return _KIND_OF_WORD.get(longer[1]) if longer and longer[1] not in _NUMBERED else None


def band_of_word(word: str) -> str:
    """Return the band that a single word of a name names: a letter, or a letter with a digit."""
    return word.lower() if word.lower() in BANDS else ""


def kind_of_keywords(header) -> Kind | None:
    """Return what keywords such as EXTNAME and IMAGETYP say that an image is; None if nothing."""
    for keyword in _KIND_KEYWORDS:
        value = header.get(keyword)
        if isinstance(value, str) and value != _NAME_OF_ANY:
            kinds = {kind_of_word(word) for word in words_of(value)} - {None, Kind.UNSURE}
            if kinds:
                return min(kinds, key=lambda kind: kind == Kind.SCIENCE)
    return None


def kind_of_header(header) -> Kind | None:
    """Return what the header of an image says that it is; None if it says nothing."""
    if kind := kind_of_keywords(header):
        return kind
    if any(key.startswith("MP_") for key in header):
        return Kind.MASK if header["BITPIX"] > 0 else None
    unit = header.get("BUNIT")
    return Kind.WEIGHT if isinstance(unit, str) and _INVERSE.fullmatch(unit.strip()) else None


def band_of_text(text: str) -> str:
    """Return the band that the name of a filter stands for; "" if none, or more than one.

    Such as ``g``, ``HSC-R2``, ``g.MP9401``, ``i_SDSS`` or ``z DECam SDSS c0004 9260.0 1520.0``.
    """
    letters = (_BAND_WORD.fullmatch(word) for word in re.split(r"[-_.,:/() ]+", text.strip()))
    bands = {match[1].lower() for match in letters if match}
    return bands.pop() if len(bands) == 1 else ""


def _listed_bands(text: str) -> list[str]:
    """Return the bands of a list, such as ``grz``, ``g,r,z`` or ``HSC-G / HSC-R / HSC-Z``."""
    letters = re.sub(r"[^A-Za-z]", "", text).lower()
    if set(letters) <= set(BANDS):
        return list(letters)
    bands = [band_of_text(part) for part in re.split(r"[,;/|+\s]+", text.strip("[](){} "))]
    return bands if all(bands) else []


def bands_of_header(header, planes: int) -> list[str]:
    """Return the band of each plane as a header says it.

    Parameters
    ----------
    header : mapping
        FITS keywords and their values.
    planes : int
        Planes of the image; 1 if it is no cube.

    Returns
    -------
    list of str
        As many as planes; empty if the header does not say.
    """
    if planes > 1:
        for keyword in _NUMBERED_KEYWORDS:
            for first in (0, 1):
                numbers = range(first, first + planes)
                numbered = [band_of_text(str(header.get(f"{keyword}{n}", ""))) for n in numbers]
                if all(numbered) and len(set(numbered)) == planes:
                    return numbered
    if planes > 1:
        listed = (_listed_bands(str(header.get(keyword, ""))) for keyword in _LIST_KEYWORDS)
        fitting = (bands for bands in listed if len(bands) == len(set(bands)) == planes)
        return next(fitting, [])
    for keyword in (*_BAND_KEYWORDS, *filter(_MORE_KEYWORDS.search, header), "EXTNAME"):
        value = header.get(keyword)
        if isinstance(value, str) and (band := band_of_text(value)):
            return [band]
    return []
