"""The point-spread function measured from the stars in an image.

The method: sources are detected by SEP in up to nine sections spread over the image. Stars are
sources with peaks between 30 times the noise and half of the brightest peak that is not saturated,
nearly round, not blended or at an edge, whose half-light radius lies at the stellar locus: within
8% of the median of the first crowd of sources, from the smallest radius on, that has at least
eight in a range of 8%, and 30% of as many as any such range has. Each star's pixels, divided by its
flux, give the profile against the distance from its centroid; a Moffat function with an exponent of
1.5 to 6 is fitted to the medians of that in rings. What comes out is the profile as the pixels see
it.
"""

from dataclasses import dataclass

import numpy as np
import sep
from scipy.optimize import least_squares

LEAST_STARS = 8
"""Fewer are no measurement."""

_SECTION = 1500
"""Pixels a side of the sections that stars are looked for in."""

_HALF = 12
"""Pixels from a star's centre that are used."""

_DETECTION, _BRIGHT = 5.0, 30.0
"""Times the noise: of pixels that belong to a source, and of the peaks of stars."""

_SATURATED = 0.5
"""Part of the brightest peak above which stars are left out."""

_LOCUS_WIDTH = 0.08
"""Fraction by which the half-light radii of stars differ."""

_CROWD = 0.3
"""Part of the largest number of sources in such a range of radii that makes a crowd."""

_MOST_STARS = 150


@dataclass(frozen=True)
class MeasuredPsf:
    """A Moffat profile fitted to stars.

    Attributes
    ----------
    fwhm : float
        Pixels.
    beta : float
    stars : int
        How many were used.
    """

    fwhm: float
    beta: float
    stars: int


def measure_psf(sections) -> MeasuredPsf | int:
    """Measure the point-spread function in sections of an image.

    Parameters
    ----------
    sections : iterable of (array of float32, array of bool)
        Pixels, NaN where there are none, and which not to trust.

    Returns
    -------
    MeasuredPsf or int
        The number of stars, if they are too few.
    """
    candidates = [star for section in sections for star in _candidates(*section)]
    if len(candidates) < LEAST_STARS:
        return len(candidates)
    peaks = np.array([star.peak for star in candidates])
    radii = np.array([star.radius for star in candidates])
    usable = (peaks < _SATURATED * peaks.max()) | (len(peaks) < 2 * LEAST_STARS)
    radii_usable = radii[usable]
    mode = _locus(radii_usable)
    on_locus = usable & (abs(radii / mode - 1) < _LOCUS_WIDTH)
    stars = [candidates[i] for i in np.flatnonzero(on_locus)]
    if len(stars) < LEAST_STARS:
        return len(stars)
    stars = sorted(stars, key=lambda star: -star.peak)[:_MOST_STARS]
    return _fit(stars)


@dataclass(frozen=True)
class _Star:
    """A source that may be a star: its peak, half-light radius, and pixels around its centroid."""

    peak: float
    radius: float
    distances: np.ndarray
    values: np.ndarray


def _candidates(pixels: np.ndarray, bad: np.ndarray) -> list[_Star]:
    """Find round, bright, isolated sources."""
    bad = bad | ~np.isfinite(pixels)
    if bad.mean() > 0.8 or min(pixels.shape) < 4 * _HALF:
        return []
    image = np.where(bad, 0, pixels).astype(np.float32)
    image = np.ascontiguousarray(image)
    background = sep.Background(image, mask=bad, bw=64, bh=64)
    noise = background.globalrms
    if not noise > 0:
        return []
    image = image - background.back()
    sources = sep.extract(image, _DETECTION, err=noise, mask=bad, minarea=5)
    sources = sources[_round_ones(sources, noise, image.shape)]
    return _measured(sources, image, bad) if len(sources) else []


def _round_ones(sources, noise: float, shape: tuple[int, int]) -> np.ndarray:
    """Return which sources are round, bright, not blended and not at an edge."""
    return (
        (sources["flag"] == 0)
        & (sources["b"] > 0.75 * sources["a"])
        & (sources["peak"] > _BRIGHT * noise)
        & (sources["x"] > _HALF + 1)
        & (sources["y"] > _HALF + 1)
        & (sources["x"] < shape[1] - _HALF - 2)
        & (sources["y"] < shape[0] - _HALF - 2)
    )


def _measured(sources, image: np.ndarray, bad: np.ndarray) -> list[_Star]:
    """Measure sources in circles of 10 pixels, and keep those with sound pixels all around."""
    radius, flags = sep.flux_radius(
        image, sources["x"], sources["y"], np.full(len(sources), 10.0), 0.5
    )
    fluxes, _, _ = sep.sum_circle(image, sources["x"], sources["y"], 10.0)
    stars = []
    for source, r, f, flag in zip(sources, radius, fluxes, flags, strict=True):
        column, row = round(float(source["x"])), round(float(source["y"]))
        box = (slice(row - _HALF, row + _HALF + 1), slice(column - _HALF, column + _HALF + 1))
        if bad[box].any() or flag or not f > 0 or not r > 0.5:
            continue
        dy, dx = np.mgrid[box]
        distance = np.hypot(dx - source["x"], dy - source["y"]).ravel()
        stars.append(_Star(float(source["peak"]), float(r), distance, (image[box] / f).ravel()))
    return stars


def _locus(radii: np.ndarray) -> float:
    """Return the half-light radius of stars: where sources first crowd.

    Galaxies are larger, and may be more: so the crowd is not the largest one.
    """
    logs = np.sort(np.log(radii))
    ends = np.searchsorted(logs, logs + np.log(1 + _LOCUS_WIDTH), side="right")
    counts = ends - np.arange(len(logs))
    first = int(np.argmax(counts >= min(max(LEAST_STARS, _CROWD * counts.max()), counts.max())))
    return float(np.exp(np.median(logs[first : ends[first]])))


def _fit(stars: list[_Star]) -> MeasuredPsf:
    """Fit a Moffat function to the medians of all stars' pixels in rings."""
    distances = np.concatenate([star.distances for star in stars])
    values = np.concatenate([star.values for star in stars])
    edges = np.concatenate([[0], np.arange(0.7, _HALF, 0.5)])
    ring = np.digitize(distances, edges) - 1
    rings = [n for n in range(len(edges)) if np.count_nonzero(ring == n) >= len(stars) / 4]
    radius = np.array([np.mean(distances[ring == n]) for n in rings])
    profile = np.array([np.median(values[ring == n]) for n in rings])
    weight = np.sqrt(np.maximum(radius, 0.5))

    def misfit(parameters):
        peak, fwhm, beta = parameters
        core = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
        return weight * (peak * (1 + (radius / core) ** 2) ** -beta - profile)

    start = (profile[0], 2.0 * np.median([star.radius for star in stars]), 3.0)
    fitted = least_squares(misfit, start, bounds=([0, 0.8, 1.5], [np.inf, 2 * _HALF, 6.0]))
    return MeasuredPsf(float(fitted.x[1]), float(fitted.x[2]), len(stars))


def sections_of(open_images, band: str, width: int, height: int):
    """Read up to nine sections of a band, spread over the image, as `measure_psf` takes them.

    Parameters
    ----------
    open_images : OpenImages
        The files of one tile, open; see `lsbg_classifier.tile_images`.
    band : str
    width, height : int
        Size of the image in pixels.

    Yields
    ------
    fluxes : array of float32, shape (rows, columns)
        Nanomaggies a pixel, at most 1500 pixels a side; NaN where nothing was observed.
    bad : array of bool, shape (rows, columns)
        Pixels not to trust.
    """
    for y in _starts(height):
        for x in _starts(width):
            rows = slice(y, min(y + _SECTION, height))
            yield open_images.read(band, rows, slice(x, min(x + _SECTION, width)))


def _starts(length: int) -> list[int]:
    if length <= 2 * _SECTION:
        return list(range(0, max(length - 64, 1), _SECTION))
    return [round(start) for start in np.linspace(0, length - _SECTION, 3)]
