"""Stars, from the faintest to those whose light reaches over the whole cutout."""

import galsim
import numpy as np

from lsbg_classifier.simulation.galaxies import Placed
from lsbg_classifier.simulation.sky import PIXEL_SCALE, Sky, fluxes_of_magnitudes

_HALO_FROM = 17.0
"""Stars brighter than this r magnitude get an aureole and spikes."""


def add_stars(sky: Sky, rng: np.random.Generator) -> list[Placed]:
    """Scatter stars with dN/dm ~ 10**(0.17 m) from r = 10.5 to 24.5, and more of the bright ones.

    The bright ones are several times as common as at high Galactic latitude: candidates found in
    their halos are what a classifier must learn to refuse.
    """
    area = (sky.size * PIXEL_SCALE / 60) ** 2
    low, high = 10 ** (0.17 * 10.5), 10 ** (0.17 * 24.5)
    magnitudes = np.log10(rng.uniform(low, high, rng.poisson(2.6 * area))) / 0.17
    magnitudes = np.append(magnitudes, rng.uniform(10.5, 16.5, rng.poisson(0.25 * area)))
    count = len(magnitudes)
    placed = []
    for magnitude, (x, y) in zip(magnitudes, rng.uniform(0, sky.size, (count, 2)), strict=True):
        g_r = rng.choice([rng.normal(0.45, 0.12), rng.normal(1.3, 0.15)])
        r_z = 0.25 + 0.6 * max(g_r - 0.3, 0) + rng.exponential(0.15)
        fluxes = fluxes_of_magnitudes([magnitude + g_r, magnitude, magnitude - r_z])
        side = int(np.clip(10 ** (0.17 * (24.5 - magnitude)) * 15, 25, 301))
        sky.place(galsim.DeltaFunction(), fluxes, x, y, side)
        if magnitude < _HALO_FROM:
            _add_glare(sky, fluxes, magnitude, x, y, rng)
            placed.append(Placed("star", x, y, magnitude + g_r, 0.5))
    return placed


def _add_glare(sky, fluxes, magnitude, x, y, rng):
    """Add the aureole (about r**-3), wider in z, and the spikes of the secondary's vanes."""
    reach = int(np.clip(150 * 10 ** (0.14 * (15 - magnitude)), 60, 700))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    distance = np.hypot(dx, dy)
    fade = np.clip(1 - distance / reach, 0, 1) ** 0.5
    aureole = (distance**2 + 8.0**2) ** -1.5 * fade
    spikes = _spikes(dx, dy, distance, rng) * fade
    strength = 1.0 * rng.lognormal(0, 0.4) * np.array([1.0, 1.0, rng.uniform(1.0, 1.8)])
    glare = aureole + spikes
    stamp = (fluxes * strength)[:, None, None] * glare[None]
    sky.paste(stamp.astype(np.float32), round(x), round(y))


def _spikes(dx, dy, distance, rng):
    """Four diffraction spikes on the diagonals, thinning outwards."""
    tilt = np.pi / 4 + rng.normal(0, 0.08)
    along = dx * np.cos(tilt) + dy * np.sin(tilt)
    across = dy * np.cos(tilt) - dx * np.sin(tilt)
    width = rng.uniform(1.5, 3.0)
    cross = np.exp(-((across / width) ** 2) / 2) + np.exp(-((along / width) ** 2) / 2)
    return rng.uniform(0.3, 1.5) * cross * (distance + 12.0) ** -2.4 * 0.1


def saturate(images: np.ndarray, level: float, rng: np.random.Generator):
    """Clip saturated cores in place, each band in its own way, as interpolation leaves them.

    A core is flattened at the saturation level in some bands and falls away to almost nothing in
    others, which makes the white, blue, magenta or cyan discs of real cutouts.

    Parameters
    ----------
    images : array of float32, shape (3, size, size)
        Counts a pixel.
    level : float
        Counts at which the detector saturates.
    """
    for image in images:
        lost = rng.random() < 0.4
        core = image > level * rng.uniform(0.7, 1.4)
        image[core] = level * (rng.uniform(0.0, 0.01) if lost else rng.uniform(0.3, 1.0))
