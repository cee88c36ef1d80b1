"""Stars, from the faintest to those whose light reaches over the whole cutout."""

import galsim
import numpy as np
from scipy import ndimage

from lsbg_classifier.simulation.galaxies import Placed
from lsbg_classifier.simulation.sky import Sky

_HALO_FROM = 17.0
"""Stars brighter than this r magnitude get an aureole and spikes."""


def add_stars(sky: Sky, rng: np.random.Generator) -> list[Placed]:
    """Scatter stars with dN/dm ~ 10**(0.17 m) from r = 10.5 to 24.5, and more of the bright ones.

    The bright ones are several times as common as at high Galactic latitude: candidates found in
    their halos are what a classifier must learn to refuse.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    rng : numpy.random.Generator

    Returns
    -------
    list of Placed
        The truth of those with a halo.
    """
    area = (sky.size * sky.pixel_scale / 60) ** 2
    low, high = 10 ** (0.17 * 10.5), 10 ** (0.17 * 24.5)
    magnitudes = np.log10(rng.uniform(low, high, rng.poisson(2.6 * area))) / 0.17
    magnitudes = np.append(magnitudes, rng.uniform(10.5, 16.5, rng.poisson(0.25 * area)))
    count = len(magnitudes)
    placed = []
    for magnitude, (x, y) in zip(magnitudes, rng.uniform(0, sky.size, (count, 2)), strict=True):
        star = add_star(sky, magnitude, x, y, rng)
        if magnitude < _HALO_FROM:
            placed.append(star)
    return placed


def add_star(sky: Sky, magnitude: float, x: float, y: float, rng: np.random.Generator) -> Placed:
    """Add one star, with an aureole and spikes if it is bright.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    magnitude : float
        AB, in r.
    x, y : float
        Pixel, from 0.
    rng : numpy.random.Generator

    Returns
    -------
    Placed
        Its truth.
    """
    magnitudes_of_bands = _magnitudes(magnitude, rng)
    fluxes = sky.fluxes(magnitudes_of_bands)
    side = int(np.clip(10 ** (0.17 * (24.5 - magnitude)) * 15, 25, 301))
    sky.place(galsim.DeltaFunction(), fluxes, x, y, side)
    if magnitude < _HALO_FROM:
        _add_glare(sky, fluxes, magnitude, x, y, rng)
    return Placed("star", x, y, magnitudes_of_bands[0], 0.5)


def _magnitudes(magnitude, rng):
    """Draw magnitudes in each band for one in r.

    M dwarfs are half of the faint stars, and few of the bright.
    """
    dwarf = rng.random() < np.interp(magnitude, [14, 21], [0.12, 0.5])
    g_r = rng.normal(1.35, 0.15) if dwarf else rng.normal(0.48, 0.13)
    r_z = 0.65 + rng.exponential(0.4) if dwarf else 0.45 * g_r + rng.normal(0.0, 0.06)
    return [magnitude + g_r, magnitude, magnitude - r_z]


def _add_glare(sky, fluxes, magnitude, x, y, rng):
    """Add the aureole (about r**-3), often wider in z, and the spikes of the secondary's vanes."""
    reach = int(np.clip(150 * 10 ** (0.14 * (15 - magnitude)), 60, 700))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    distance = np.hypot(dx, dy)
    fade = np.clip(1 - distance / reach, 0, 1) ** 0.5
    red = rng.uniform(0.8, 2.2)
    aureole = 0.15 * rng.lognormal(0, 0.6) * (distance**2 + 8.0**2) ** -1.5
    spikes = rng.uniform(0.02, 0.15) * _cross(dx, dy, np.pi / 4 + rng.normal(0, 0.06), rng)
    plus = rng.uniform(0.0, 0.05) * _cross(dx, dy, rng.normal(0, 0.03), rng)
    glare = np.stack([aureole + spikes, aureole + spikes, red * aureole + spikes + plus])
    sky.paste((fluxes[:, None, None] * glare * fade).astype(np.float32), round(x), round(y))


def _cross(dx, dy, angle, rng):
    """Draw two diffraction spikes at right angles, thinning outwards."""
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    width = rng.uniform(1.0, 2.4)
    cross = np.exp(-((across / width) ** 2) / 2) + np.exp(-((along / width) ** 2) / 2)
    return cross * (np.hypot(dx, dy) + 12.0) ** -2.4


def saturate(images: np.ndarray, level: float, rng: np.random.Generator):
    """Flatten saturated cores in place, each band in its own way, as interpolation leaves them.

    Every core, grown by some pixels as masks are, becomes a flat disc: in some bands at the level
    of saturation, in others lower or at nothing. That makes the blue, lavender, cyan and white
    discs of real cutouts. The sides of a disc may lose one more band.

    Parameters
    ----------
    images : array of float32, shape (3, size, size)
        Counts a pixel.
    level : float
        Counts at which the detector saturates.
    """
    levels = level * rng.uniform(0.6, 1.5, 3)
    grown = int(rng.integers(1, 6))
    saturated = images > levels[:, None, None]
    for plane in saturated:
        plane[:] = ndimage.binary_dilation(plane, iterations=grown)
    cores, _ = ndimage.label(saturated.any(axis=0))
    for number, box in enumerate(ndimage.find_objects(cores), 1):
        here = cores[box] == number
        shares = np.array(_DISCS[rng.integers(len(_DISCS))]) * rng.uniform(0.8, 1.2, 3)
        for band, share in enumerate(shares):
            part = images[(band, *box)]
            part[saturated[(band, *box)] & here] = share * levels[band]
        if rng.random() < 0.5:
            _lose_sides(images[(slice(None), *box)], saturated[(slice(None), *box)] & here, rng)


_DISCS = (
    (1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (0.5, 0.5, 0.7),
    (0.3, 0.25, 0.5),
    (1.0, 1.0, 0.4),
    (1.0, 1.0, 1.0),
)
"""What is left in g, r and z of a saturated core, as parts of the level of saturation."""


def _lose_sides(part, core, rng):
    """Set the left and right quarters of a core to nothing in r."""
    columns = np.flatnonzero(core.any(axis=(0, 1)))
    if len(columns) > 8:
        quarter = int(len(columns) * rng.uniform(0.1, 0.3))
        for side in (columns[:quarter], columns[-quarter:]):
            lost = np.zeros(core.shape[1:], bool)
            lost[:, side] = core[1][:, side]
            part[1][lost] = 0
