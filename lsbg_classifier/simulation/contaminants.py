"""What is in the images but not in the sky, or not a galaxy: cirrus, ghosts, trails, holes."""

import numpy as np
from scipy import ndimage

from lsbg_classifier.simulation.galaxies import Placed
from lsbg_classifier.simulation.sky import Sky, random_field


def _counts(sky, brightness):
    """Convert mag/arcsec2 to counts a pixel."""
    return sky.fluxes(brightness) * sky.pixel_scale**2


def add_cirrus(sky: Sky, rng: np.random.Generator):
    """Add filaments of Galactic dust: a power-law field, less what sky subtraction removes.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    rng : numpy.random.Generator
    """
    field = random_field(sky.size, rng.uniform(2.6, 3.2), rng)
    field -= ndimage.uniform_filter(field, 400)
    veil = np.clip(field / field.std() - rng.uniform(0.0, 0.8), 0, None)
    in_g = rng.uniform(26.2, 27.6) + sky.conditions.model.deeper / 2
    brightness = in_g - np.array([0.0, rng.normal(0.45, 0.08), 0.7])
    peaks = _counts(sky, brightness) / np.percentile(veil, 99)
    sky.images += (peaks[:, None, None] * veil).astype(np.float32)


def add_ghosts(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Add reflections of bright stars: faint discs with a hole and a soft or sharp rim.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    list of Placed
        Their truth.
    """
    placed = []
    for x, y in rng.uniform(0, sky.size, (count, 2)):
        radius = rng.uniform(15, 160)
        half = int(radius * 1.3)
        dy, dx = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
        distance = np.hypot(dx, dy * rng.uniform(1.0, 1.4)) / radius
        edge = rng.uniform(0.03, 0.12)
        disc = 1 / (1 + np.exp((distance - 1) / edge))
        disc *= 1 - rng.uniform(0, 1) / (1 + np.exp((distance - rng.uniform(0.2, 0.5)) / edge))
        brightness = rng.uniform(25.4, 27.4) + sky.conditions.model.deeper / 2
        share = rng.dirichlet([1.5, 1.5, 1.5]) * 3
        peak = _counts(sky, brightness) * share * np.array([1.0, 1.4, 2.0])
        sky.paste((peak[:, None, None] * disc).astype(np.float32), round(x), round(y))
        placed.append(Placed("ghost", x, y, brightness, radius * sky.pixel_scale))
    return placed


def add_wisps(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Add diffuse patches: knots of cirrus, debris of tides, what sky subtraction leaves.

    As large as LSBGs and as smooth, but fainter: half-light radii of 3" to 8", a mean surface
    brightness of 25.7 to 27.4 mag/arcsec2 in g and g - r of 0.2 to 0.8, as the artifacts of HSC
    have them that passed every cut and failed the eye (Greco et al. 2018, ApJ 857, 104).

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    list of Placed
        Their truth.
    """
    placed = []
    blur = np.mean(sky.conditions.seeing) / 2.355 / sky.pixel_scale
    for x, y in rng.uniform(0, sky.size, (count, 2)):
        radius = rng.uniform(3.0, 8.0)
        patch = mottled_patch(radius / sky.pixel_scale, rng)
        patch = ndimage.gaussian_filter(patch, blur)
        brightness = rng.uniform(25.7, 27.4)
        magnitude = brightness - 2.5 * np.log10(2 * np.pi * radius**2)
        g_r = rng.normal(0.45, 0.2)
        fluxes = sky.fluxes([magnitude, magnitude - g_r, magnitude - 1.6 * g_r])
        sky.paste((fluxes[:, None, None] * patch).astype(np.float32), round(x), round(y))
        placed.append(Placed("wisp", x, y, magnitude, radius))
    return placed


def mottled_patch(radius: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a mottled cloud of unit flux.

    Parameters
    ----------
    radius : float
        About its half-light radius, in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    array of float32, square
    """
    side = int(6 * radius) | 1
    offsets = np.arange(side, dtype=np.float32) - side // 2
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.4, 1.0)
    along = offsets[None, :] * np.cos(angle) + offsets[:, None] * np.sin(angle)
    across = offsets[:, None] * np.cos(angle) - offsets[None, :] * np.sin(angle)
    bent = across - rng.normal(0, 0.15) * along**2 / radius
    distance = np.hypot(along * np.sqrt(ratio), bent / np.sqrt(ratio)) / radius
    cloud = np.exp(-np.log(2) * distance ** rng.uniform(1.5, 3.0))
    cloud *= np.exp(rng.uniform(0.2, 0.6) * random_field(side, rng.uniform(2.6, 3.2), rng))
    return cloud / cloud.sum()


def add_trail(sky: Sky, rng: np.random.Generator):
    """Add the trail of a satellite, in one band, from edge to edge.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    rng : numpy.random.Generator
    """
    angle = rng.uniform(0, np.pi)
    y, x = np.ogrid[: sky.size, : sky.size]
    middle = rng.uniform(0.2, 0.8, 2) * sky.size
    across = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
    peak = _counts(sky, rng.uniform(23.5, 26.0))
    profile = peak * np.exp(-((across / rng.uniform(2, 6)) ** 2) / 2)
    sky.images[rng.integers(3)] += profile.astype(np.float32)


def depth_map(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how the noise varies over a tile, in steps along the edges of the exposures.

    Parameters
    ----------
    size : int
        Side of the tile in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    array of float32, shape (3, size, size)
        The factor on the RMS of the sky.
    """
    depth = np.ones((3, size, size), np.float32)
    for band in range(3):
        for _ in range(rng.integers(0, 4)):
            rows, columns = _strip(size, rng, widest=0.5)
            depth[band, rows, columns] *= rng.uniform(1.1, 1.7)
    return depth


def coverage_map(size: int, holes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw which pixels of a tile have data.

    Each hole is a strip without data in one band, or in all three.

    Parameters
    ----------
    size : int
        Side of the tile in pixels.
    holes : int
    rng : numpy.random.Generator

    Returns
    -------
    array of bool, shape (3, size, size)
        True where there are data.
    """
    covered = np.ones((3, size, size), bool)
    for _ in range(holes):
        bands = slice(None) if rng.random() < 0.3 else rng.integers(3)
        rows, columns = _strip(size, rng, widest=0.06)
        covered[bands, rows, columns] = False
    return covered


def _strip(size, rng, widest):
    """Pick a rectangle, long in one direction, as a pair of slices (rows, columns)."""
    sides = [rng.uniform(0.02, widest) * size, rng.uniform(0.2, 1.0) * size]
    rng.shuffle(sides)
    starts = [rng.uniform(-0.1, 1.0) * size for _ in sides]
    return tuple(
        slice(int(max(start, 0)), int(max(start + side, 0)))
        for start, side in zip(starts, sides, strict=True)
    )
