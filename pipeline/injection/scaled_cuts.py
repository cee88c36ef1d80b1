"""The published cuts for images whose pixels are not those of the cut's survey."""

from pathlib import Path

from catalogs.selection import PUBLISHED_CUTS

CUT_SCALES = {"des": "0.263", "hsc": "0.168"}
"""Arcseconds a pixel that are written in the published cuts."""

_SAME_SCALE = 0.01


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
    """
    written_scale = CUT_SCALES.get(select or "")
    return written_scale is not None and abs(scale / float(written_scale) - 1) > _SAME_SCALE


def cut_for(select: str, scale: float, folder: Path) -> str:
    """Return a cut; a published one with the tile's pixel scale instead of its survey's.

    Parameters
    ----------
    select : str
        As for `catalogs.find_selection`.
    scale : float
        Arcseconds a pixel of the images.
    folder : Path
        Gets the file of a changed cut.

    Returns
    -------
    str
        `select` itself, or the path of that file.
    """
    if not has_other_scale(select, scale):
        return select
    path = folder / f"{select}.cut"
    path.write_text(PUBLISHED_CUTS[select].replace(CUT_SCALES[select], f"{scale:.6g}"))
    return str(path)
