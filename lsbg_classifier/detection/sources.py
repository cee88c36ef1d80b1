"""Sources in images of several bands, with SourceExtractor's names and units."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sep
from astropy.table import Table

NOT_MEASURED = 99.0
"""Value of a magnitude or size that could not be measured, as SourceExtractor has it."""


@dataclass(frozen=True)
class Detection:
    """How sources are detected.

    Attributes
    ----------
    bands : tuple of str
        Bands that are added up, weighted by their noise, before detection.
    kernel_fwhm : float
        Pixels; of the Gaussian that the sum is smoothed with.
    threshold : float
        Times the noise of a pixel.
    minimum_area : int
        Pixels above the threshold.
    deblend_contrast : float
    mesh : int
        Pixels a side of the cells of the background.
    """

    bands: tuple[str, ...] = ("g", "r")
    kernel_fwhm: float = 5.0
    threshold: float = 1.1
    minimum_area: int = 60
    deblend_contrast: float = 0.001
    mesh: int = 128

    @classmethod
    def for_pixels(cls, pixel_scale: float, bands: tuple[str, ...]) -> "Detection":
        """Return what suits low-surface-brightness galaxies in pixels of some arcseconds.

        The kernel of 1.3", the area of 4.1 square arcseconds and the mesh of 34" are those of the
        defaults at DES's pixels of 0.263".

        Parameters
        ----------
        pixel_scale : float
            Arcseconds.
        bands : tuple of str
            Those that the images have, blue to red; the sum is of g and r, or of the two bluest.

        Returns
        -------
        Detection
        """
        summed = ("g", "r") if {"g", "r"} <= {*bands} else tuple(bands[:2])
        ratio = 0.263 / pixel_scale
        area = max(5, round(60 * ratio**2))
        return cls(summed, 5.0 * ratio, minimum_area=area, mesh=max(32, round(128 * ratio)))


@dataclass(frozen=True)
class Scale:
    """What pixels and counts of images are: arcseconds, and the AB magnitude of one count."""

    pixel_scale: float
    zero_point: float


def detect_sources(
    images: Mapping[str, np.ndarray],
    covered: Mapping[str, np.ndarray],
    scale: Scale,
    settings: Detection,
) -> tuple[Table, dict[str, np.ndarray], dict[str, float]]:
    """Detect sources in the sum of some bands and measure them in every band.

    Parameters
    ----------
    images : mapping of str to array of float32, shape (height, width)
        Counts a pixel, by band.
    covered : mapping of str to array of bool, shape (height, width)
        Where there are data.
    scale : Scale
    settings : Detection

    Returns
    -------
    table : astropy.table.Table
        One row a source, with SourceExtractor's names and units (pixels from 1), without sky
        positions. Mean surface brightness is that within the half-light radius of the automatic
        aperture.
    flat : dict of str to array
        The images without their backgrounds.
    noise : dict of str to float
        The noise of a pixel of each.
    """
    backgrounds = {band: _background(images[band], covered[band], settings) for band in images}
    flat = {band: images[band] - backgrounds[band] for band in images}
    noise = {band: float(backgrounds[band].globalrms) for band in images}
    weights = {band: 1 / max(noise[band], 1e-30) ** 2 for band in settings.bands}
    blind = ~np.logical_or.reduce([covered[band] for band in settings.bands])
    summed = sum(weights[band] * np.where(covered[band], flat[band], 0) for band in settings.bands)
    total = sum(weights.values())
    sep.set_extract_pixstack(max(300_000, blind.size))
    sources = sep.extract(
        np.ascontiguousarray(summed / total, np.float32),
        settings.threshold,
        err=np.sqrt(1 / total),
        mask=blind,
        minarea=settings.minimum_area,
        filter_kernel=_gaussian_kernel(settings.kernel_fwhm),
        deblend_nthresh=32,
        deblend_cont=settings.deblend_contrast,
    )
    return _measure(sources, flat, covered, scale), flat, noise


def _background(image, covered, settings):
    return sep.Background(image, mask=~covered, bw=settings.mesh, bh=settings.mesh)


def _measure(sources, flat, covered, scale: Scale) -> Table:
    """Turn SEP's detections into a table of SourceExtractor's parameters."""
    table = Table(
        {
            "NUMBER": np.arange(1, len(sources) + 1, dtype=np.int32),
            "X_IMAGE": sources["x"] + 1,
            "Y_IMAGE": sources["y"] + 1,
            "A_IMAGE": sources["a"].astype(np.float32),
            "B_IMAGE": sources["b"].astype(np.float32),
            "THETA_IMAGE": np.degrees(sources["theta"]).astype(np.float32),
            "FLAGS": sources["flag"].astype(np.int16),
        }
    )
    for band, image in flat.items():
        for name, values in _photometry(sources, image, covered[band], scale).items():
            usable = np.where(np.isfinite(values), values, NOT_MEASURED)
            table[f"{name}_{band.upper()}"] = usable.astype(np.float32)
    return table


def _photometry(sources, image, covered, scale: Scale) -> dict[str, np.ndarray]:
    """Measure one band in automatic apertures; not finite where that fails."""
    shape = (sources["x"], sources["y"], sources["a"], sources["b"], sources["theta"])
    kron = np.clip(sep.kron_radius(image, *shape, 6.0, mask=~covered)[0], 1.4, 4.0)
    flux = sep.sum_ellipse(image, *shape, 2.5 * kron, mask=~covered, subpix=1)[0]
    reach = 2.5 * kron * sources["a"]
    radius = sep.flux_radius(
        image, sources["x"], sources["y"], reach, 0.5, mask=~covered, normflux=flux, subpix=5
    )[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude = scale.zero_point - 2.5 * np.log10(flux)
        area = 2 * np.pi * (radius * scale.pixel_scale) ** 2
        peak = _peaks(image, sources) / scale.pixel_scale**2
        return {
            "MAG_AUTO": magnitude,
            "FLUX_RADIUS": radius,
            "MU_MEAN_MODEL": magnitude + 2.5 * np.log10(area),
            "MU_MAX_MODEL": scale.zero_point - 2.5 * np.log10(peak),
        }


def _peaks(image, sources):
    rows = np.clip(np.round(sources["ypeak"]).astype(int), 0, image.shape[0] - 1)
    columns = np.clip(np.round(sources["xpeak"]).astype(int), 0, image.shape[1] - 1)
    return image[rows, columns]


def _gaussian_kernel(fwhm: float) -> np.ndarray:
    half = int(np.ceil(1.5 * fwhm))
    offsets = np.arange(-half, half + 1)
    profile = np.exp(-4 * np.log(2) * (offsets / fwhm) ** 2)
    return np.outer(profile, profile)
