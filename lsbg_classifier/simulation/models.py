"""What the images of a survey are like: depth, seeing, saturation, and how faint its sky goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalogs.errors import InputError
from lsbg_classifier.surveys import SURVEYS, Survey

BANDS = ("g", "r", "z")
"""The simulated bands, blue to red."""


@dataclass(frozen=True)
class SurveyModel:
    """A typical patch of a survey; one value a band, in the order of `BANDS`.

    Attributes
    ----------
    survey : Survey
        Pixel scale and zero point of its coadds.
    noise : tuple of float
        RMS of the sky in counts a pixel.
    seeing : tuple of float
        FWHM of the point-spread function in arcseconds.
    saturation : tuple of float
        Counts a pixel between which stars saturate.
    electrons : float
        Photo-electrons of a count.
    deeper : float
        Magnitudes by which the survey is deeper than DES.
    lsbg_brightness : tuple of float
        Mean surface brightness in g of its LSBGs, in mag/arcsec2: the brightest, the scale of the
        gamma distribution (shape 1.6) below that, and the largest distance from the brightest.
    wisps : float
        Diffuse patches that are no galaxies, per 3000x3000 pixels.
    """

    survey: Survey
    noise: tuple[float, ...]
    seeing: tuple[float, ...]
    saturation: tuple[float, float]
    electrons: float
    deeper: float
    lsbg_brightness: tuple[float, float, float]
    wisps: float


MODELS: Mapping[str, SurveyModel] = MappingProxyType(
    {
        "des": SurveyModel(
            SURVEYS["des"],
            noise=(1.8, 2.1, 6.8),
            seeing=(1.12, 0.96, 0.84),
            saturation=(10**4.2, 10**4.7),
            electrons=60.0,
            deeper=0.0,
            lsbg_brightness=(24.2, 0.45, 2.6),
            wisps=0.0,
        ),
        "hsc": SurveyModel(
            SURVEYS["hsc"],
            noise=(0.0115, 0.0134, 0.0434),
            seeing=(0.68, 0.62, 0.6),
            saturation=(10**3.0, 10**3.5),
            electrons=3800.0,
            deeper=2.0,
            lsbg_brightness=(23.7, 0.65, 3.2),
            wisps=90.0,
        ),
    }
)
"""The surveys that can be simulated, by name.

DES: noise set so that cutouts are about as noisy as real ones (median depth g = 24.3, r = 24.1,
z = 22.7), seeing as published (Abbott et al. 2018, ApJS 239, 18). HSC: two magnitudes deeper, at
0.6" seeing; its LSBGs as bright as those of Greco et al. 2018 (ApJ 857, 104).
"""


def model_named(name: str) -> SurveyModel:
    """Return the model of a survey, or raise `InputError` with the names that exist."""
    try:
        return MODELS[name]
    except KeyError:
        known = " or ".join(MODELS)
        raise InputError(f"no simulation of a survey {name!r}: choose {known}") from None
