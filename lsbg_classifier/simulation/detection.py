"""Find candidates in simulated tiles as a survey does: detect, measure, cut."""

import numpy as np
import sep
from astropy.table import Table

from lsbg_classifier.detection.sources import Detection, Scale, detect_sources
from lsbg_classifier.simulation.models import BANDS
from lsbg_classifier.surveys import Survey


def subtract_sky(images: np.ndarray, covered: np.ndarray):
    """Subtract, in place, the smooth sky that a survey's coaddition takes out.

    A mesh of 160 pixels leaves the cores of halos, cirrus and large galaxies, and a faint trough
    around them.

    Parameters
    ----------
    images : array of float32, shape (3, size, size)
    covered : array of bool, shape (3, size, size)
        Where there are data.
    """
    for image, seen in zip(images, covered, strict=True):
        image -= sep.Background(image, mask=~seen, bw=160, bh=160).back()


def detect(images: np.ndarray, covered: np.ndarray, survey: Survey) -> Table:
    """Detect sources in the sum of g and r and measure them in every band.

    Parameters
    ----------
    images : array of float32, shape (3, size, size)
        Counts a pixel in g, r, z.
    covered : array of bool, shape (3, size, size)
        Where there are data.
    survey : Survey
        Whose pixel scale and zero point these are.

    Returns
    -------
    astropy.table.Table
        As of `detect_sources`.
    """
    scale = Scale(survey.pixel_scale, survey.zero_point)
    by_band = dict(zip(BANDS, images, strict=True))
    return detect_sources(by_band, dict(zip(BANDS, covered, strict=True)), scale, Detection())[0]


def select_candidates(table: Table, pixel_scale: float) -> Table:
    """Keep what the DES cuts keep (Tanoglidis et al. 2021, ApJS 252, 18, section 3).

    Size, mean surface brightness and ellipticity as published; the simulated surveys have no i
    band, so the colour cut is a wide one in g - r alone.

    Parameters
    ----------
    table : astropy.table.Table
        As of `detect`.
    pixel_scale : float
        Arcseconds.

    Returns
    -------
    astropy.table.Table
    """
    radius = table["FLUX_RADIUS_G"] * pixel_scale
    brightness = table["MU_MEAN_MODEL_G"]
    colour = table["MAG_AUTO_G"] - table["MAG_AUTO_R"]
    keep = (
        (radius > 2.5)
        & (radius < 20)
        & (brightness > 24.2)
        & (brightness < 28.8)
        & (colour > -0.3)
        & (colour < 1.2)
        & (1 - table["B_IMAGE"] / table["A_IMAGE"] < 0.7)
    )
    return table[keep]
