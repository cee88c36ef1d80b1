"""The published cuts for catalogs whose pixels are not those of the cut's survey.

FLUX_RADIUS is a length in pixels, and the published cuts turn it into arcseconds by the pixel scale
of their own survey.
"""

from types import MappingProxyType

from catalogs.errors import InputError
from catalogs.selection import PUBLISHED_CUTS

CUT_SCALES = MappingProxyType({"des": "0.263", "hsc": "0.168"})
"""Arcseconds a pixel as they are written in the published cuts."""

_SAME_SCALE = 0.01
_SMALLEST, _LARGEST = 0.001, 60.0
"""Arcseconds that a pixel can have."""


def has_other_scale(select: str | None, scale: float) -> bool:
    """Tell whether a published cut is written for pixels of another size, by more than 1%.

    Parameters
    ----------
    select : str or None
        A published cut; any other text, and None, have no scale.
    scale : float
        Arcseconds a pixel of the images.

    Returns
    -------
    bool

    Examples
    --------
    >>> from catalogs.cut_scales import has_other_scale
    >>> has_other_scale("des", 0.2), has_other_scale("des", 0.262)
    (True, False)
    """
    written_scale = CUT_SCALES.get(select or "")
    return written_scale is not None and abs(scale / float(written_scale) - 1) > _SAME_SCALE


def cut_for(select: str, scale: float) -> str:
    """Return a cut; a published one with a pixel scale instead of its survey's.

    Parameters
    ----------
    select : str
        As for `catalogs.find_selection`.
    scale : float
        Arcseconds a pixel of the images in which the catalog was measured.

    Returns
    -------
    str
        `select` itself, or conditions with the other scale; `catalogs.find_selection` takes both.

    Raises
    ------
    InputError
        If the scale is not one of pixels.
    """
    if not _SMALLEST <= scale <= _LARGEST:
        raise InputError(f'a pixel scale must be {_SMALLEST:g}" to {_LARGEST:g}", not {scale:g}"')
    if not has_other_scale(select, scale):
        return select
    return PUBLISHED_CUTS[select].replace(CUT_SCALES[select], f"{scale:.6g}")
