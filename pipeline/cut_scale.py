"""In pixels of which size the published cuts take the FLUX_RADIUS of a catalog."""

from dataclasses import dataclass

from catalogs import Catalog
from catalogs.cut_scales import CUT_SCALES, cut_for, has_other_scale
from catalogs.errors import InputError
from catalogs.ldac import ldac_pixel_scale
from catalogs.urls import is_url
from lsbg_classifier.surveys import survey_named
from pipeline.options import Options

_OPTION = "--pixel-scale"


@dataclass(frozen=True)
class CutScale:
    """The pixel scale that a published cut uses.

    Attributes
    ----------
    select : str
        Name of the cut.
    scale : float
        Arcseconds.
    origin : str
        Where it is from, in words.
    """

    select: str
    scale: float
    origin: str

    @property
    def conditions(self) -> str:
        """The cut with this scale, as `catalogs.find_selection` takes it."""
        return cut_for(self.select, self.scale)

    def describe(self) -> str:
        """Say in one line what is assumed, and how to change it."""
        published = ""
        if has_other_scale(self.select, self.scale):
            published = f' instead of the published {CUT_SCALES[self.select]}"'
        return (
            f'the cut {self.select} takes FLUX_RADIUS to be in pixels of {self.scale:.4g}"'
            f"{published}, {self.origin}; {_OPTION} changes it"
        )


def scale_of_cut(options: Options, catalog: Catalog, source: object) -> CutScale | None:
    """Find the pixel scale of a catalog's images, if a published cut needs it.

    The first of these that there is: the option, the header of the image in a catalog of FITS_LDAC,
    the tiles that the cutouts come from, the survey that was named, the survey of the cut.

    Parameters
    ----------
    options : Options
    catalog : Catalog
    source : CutoutSource

    Returns
    -------
    CutScale or None
        None without a published cut.

    Raises
    ------
    InputError
        If a scale is asked for without a published cut, it is none of pixels, or the tiles have
        pixels of several sizes.
    """
    select = options.select or ""
    if select not in CUT_SCALES:
        if options.pixel_scale is not None:
            cuts = " or ".join(CUT_SCALES)
            raise InputError(f"{_OPTION} is for --select {cuts}: add that, or leave it out")
        return None
    scale, origin = _scale(options, catalog, source)
    found = CutScale(select, scale, origin)
    cut_for(select, scale)  # refuses what is no scale of pixels
    return found


def _scale(options: Options, catalog: Catalog, source: object) -> tuple[float, str]:
    if options.pixel_scale is not None:
        return options.pixel_scale, "as asked for"
    measured = None if is_url(str(catalog.path)) else ldac_pixel_scale(catalog.path)
    if measured is not None:
        return measured, "as the header of the image in the catalog says"
    tiles: list[float] = getattr(source, "pixel_scales", [])
    if len(tiles) > 1 and tiles[-1] / tiles[0] > 1.01:
        raise InputError(
            f'--select {options.select}: the tiles have pixels of {tiles[0]:.4g}" to '
            f'{tiles[-1]:.4g}"; say with {_OPTION} in which FLUX_RADIUS was measured'
        )
    if tiles:
        return tiles[0], "those of the tiles"
    if options.survey is not None:
        survey = survey_named(options.survey)
        return survey.pixel_scale, f"those of the survey {survey.name}"
    return float(CUT_SCALES[options.select or ""]), "those of the cut's survey"
