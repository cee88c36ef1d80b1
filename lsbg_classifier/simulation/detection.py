"""Find candidates in simulated tiles as a survey does: detect, measure, cut."""

import numpy as np
import sep
from astropy.table import Table

from lsbg_classifier.simulation.models import BANDS
from lsbg_classifier.surveys import Survey

_KERNEL_FWHM = 5.0
_THRESHOLD = 1.1
_MINIMUM_AREA = 60


def subtract_sky(images: np.ndarray, covered: np.ndarray):
    """Subtract, in place, the smooth sky that a survey's coaddition takes out.

    A mesh of 160 pixels leaves the cores of halos, cirrus and large galaxies, and a faint trough
    around them. `images` is float32, `covered` bool, both of shape (3, size, size).
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
        One row a source, with SourceExtractor's names and units (pixels counted from 1), without
        sky positions. Mean surface brightness is that within the half-light radius of the
        automatic aperture.
    """
    backgrounds = [
        sep.Background(image, mask=~seen, bw=128, bh=128)
        for image, seen in zip(images, covered, strict=True)
    ]
    flat = [image - background for image, background in zip(images, backgrounds, strict=True)]
    rms = [background.globalrms for background in backgrounds]
    weights = [1 / max(level, 1e-3) ** 2 for level in rms[:2]]
    blind = ~covered[:2].any(axis=0)
    summed = sum(
        w * np.where(seen, f, 0) for w, f, seen in zip(weights, flat, covered, strict=False)
    )
    sep.set_extract_pixstack(blind.size)
    found = sep.extract(
        np.ascontiguousarray(summed / sum(weights)),
        _THRESHOLD,
        err=np.sqrt(1 / sum(weights)),
        mask=blind,
        minarea=_MINIMUM_AREA,
        filter_kernel=_gaussian_kernel(_KERNEL_FWHM),
        deblend_nthresh=32,
        deblend_cont=0.001,
    )
    return _measure(found, flat, covered, survey)


def _measure(found, flat, covered, survey) -> Table:
    """Turn SEP's detections into a table of SourceExtractor's parameters."""
    shape = (found["x"], found["y"], found["a"], found["b"], found["theta"])
    table = Table(
        {
            "NUMBER": np.arange(1, len(found) + 1, dtype=np.int32),
            "X_IMAGE": found["x"] + 1,
            "Y_IMAGE": found["y"] + 1,
            "A_IMAGE": found["a"].astype(np.float32),
            "B_IMAGE": found["b"].astype(np.float32),
            "THETA_IMAGE": np.degrees(found["theta"]).astype(np.float32),
            "FLAGS": found["flag"].astype(np.int16),
        }
    )
    for name, image, seen in zip(BANDS, flat, covered, strict=True):
        kron = np.clip(sep.kron_radius(image, *shape, 6.0, mask=~seen)[0], 1.4, 4.0)
        flux = sep.sum_ellipse(image, *shape, 2.5 * kron, mask=~seen, subpix=1)[0]
        reach = 2.5 * kron * found["a"]
        radius = sep.flux_radius(
            image, found["x"], found["y"], reach, 0.5, mask=~seen, normflux=flux, subpix=5
        )[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            magnitude = survey.zero_point - 2.5 * np.log10(flux)
            area = 2 * np.pi * (radius * survey.pixel_scale) ** 2
            mean = magnitude + 2.5 * np.log10(area)
            peak = _peaks(image, found) / survey.pixel_scale**2
            brightest = survey.zero_point - 2.5 * np.log10(peak)
        band = name.upper()
        for column, values in (
            (f"MAG_AUTO_{band}", magnitude),
            (f"FLUX_RADIUS_{band}", radius),
            (f"MU_MEAN_MODEL_{band}", mean),
            (f"MU_MAX_MODEL_{band}", brightest),
        ):
            table[column] = np.where(np.isfinite(values), values, 99.0).astype(np.float32)
    return table


def _peaks(image, found):
    rows = np.clip(np.round(found["ypeak"]).astype(int), 0, image.shape[0] - 1)
    columns = np.clip(np.round(found["xpeak"]).astype(int), 0, image.shape[1] - 1)
    return image[rows, columns]


def select_candidates(table: Table, pixel_scale: float) -> Table:
    """Keep what the DES cuts keep (Tanoglidis et al. 2021, ApJS 252, 18, section 3).

    Size, mean surface brightness and ellipticity as published; the simulated surveys have no i
    band, so the colour cut is a wide one in g - r alone. `pixel_scale` is in arcsec.
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


def _gaussian_kernel(fwhm: float) -> np.ndarray:
    half = int(np.ceil(1.5 * fwhm))
    offsets = np.arange(-half, half + 1)
    profile = np.exp(-4 * np.log(2) * (offsets / fwhm) ** 2)
    return np.outer(profile, profile)
