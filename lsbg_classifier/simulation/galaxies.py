"""Galaxies: the low-surface-brightness ones that are looked for, and all the others.

Every function draws into a :class:`~lsbg_classifier.simulation.sky.Sky` and returns what it put
there as rows of truth: (kind, x, y, magnitude_g, effective radius in arcsec).
"""

from typing import NamedTuple

import galsim
import numpy as np

from lsbg_classifier.simulation.sky import Sky

_SMALLEST_STAMP, _LARGEST_STAMP = 33, 129
_BRIGHTEST, _FAINTEST = 17.0, 25.3
"""In r, of the field galaxies of DES."""


class Placed(NamedTuple):
    """One simulated object: its kind, pixel position, g magnitude and half-light radius."""

    kind: str
    x: float
    y: float
    magnitude: float
    radius: float


def add_lsbgs(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Scatter low-surface-brightness galaxies as surveys find them.

    Half-light radii fall steeply from 2.5", a third are red (g - i >= 0.6); Tanoglidis et al.
    2021, ApJS 252, 18, section 5. Mean surface brightness is that of the survey's model.
    Sersic indices and ellipticities follow Greco et al. 2018, ApJ 857, 104.

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
    return [_lsbg(sky, x, y, rng) for x, y in _spread(sky.size, count, rng)]


def _lsbg(sky, x, y, rng) -> Placed:
    radius = min(2.5 * rng.pareto(2.6) + 2.5, 14.0)
    brightest, scale, deepest = sky.conditions.model.lsbg_brightness
    brightness = brightest + min(rng.gamma(1.6, scale), deepest)
    magnitude = brightness - 2.5 * np.log10(2 * np.pi * radius**2)
    red = rng.random() < 1 / 3
    g_r = rng.normal(0.58, 0.07) if red else rng.normal(0.4, 0.1)
    r_z = rng.normal(0.38, 0.1) if red else rng.normal(0.22, 0.14)
    fluxes = sky.fluxes([magnitude, magnitude - g_r, magnitude - g_r - r_z])
    index = round(float(np.clip(rng.lognormal(-0.15, 0.4), 0.4, 2.5)), 1)
    body = sersic(index, radius, min(rng.beta(2.0, 4.0), 0.7), rng.uniform(0, np.pi))
    side = int(np.clip(10 * radius / sky.pixel_scale, 64, 640))
    clumps = 0.0 if red or rng.random() < 0.5 else rng.uniform(0.05, 0.4)
    nucleus = rng.uniform(0.01, 0.05) if rng.random() < (0.3 if red else 0.1) else 0.0
    sky.place(body, fluxes * (1 - clumps - nucleus), x, y, side)
    if clumps:
        add_knots(sky, fluxes * clumps, x, y, radius, rng)
    if nucleus:
        sky.place(galsim.Gaussian(fwhm=0.1), fluxes * nucleus, x, y, 31)
    return Placed("lsbg", x, y, magnitude, radius)


def add_knots(
    sky: Sky, fluxes: np.ndarray, x: float, y: float, radius: float, rng: np.random.Generator
):
    """Break part of a galaxy's light into clumps within its half-light radius.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    fluxes : array of float, shape (3,)
        Counts of all clumps in g, r and z.
    x, y : float
        Pixel of the galaxy's middle.
    radius : float
        Half-light radius in arcseconds.
    rng : numpy.random.Generator
    """
    count = int(rng.integers(3, 10))
    shares = rng.dirichlet(np.full(count, 1.5))
    reach = 0.7 * radius / sky.pixel_scale
    offsets = rng.normal(0, reach, (count, 2))
    for share, (dx, dy) in zip(shares, offsets, strict=True):
        blue = fluxes * share * np.array([1.1, 1.0, 0.85])
        width = rng.uniform(0.25, 0.6) * radius
        sky.place(galsim.Gaussian(fwhm=width), blue, x + dx, y + dy, 65)


def add_background(sky: Sky, rng: np.random.Generator) -> list[Placed]:
    """Fill the field with the small galaxies of a deep survey, a quarter of them clustered.

    Counts follow dN/dm ~ 10**(0.35 m) to r = 25.3, 45 a square arcminute, and on in deeper
    surveys. Stamps come from a library of shapes drawn once a tile, turned and flipped at random.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    rng : numpy.random.Generator

    Returns
    -------
    list of Placed
        The truth of those brighter than magnitude 21.5.
    """
    faintest = _FAINTEST + sky.conditions.model.deeper
    area = (sky.size * sky.pixel_scale / 60) ** 2
    count = rng.poisson(45 * area * 10 ** (0.35 * (faintest - _FAINTEST)))
    magnitude = _magnitudes(count, _BRIGHTEST, faintest, 0.35, rng)
    position = rng.uniform(0, sky.size, (count, 2))
    clustered = rng.random(count) < 0.25
    centres = rng.uniform(0, sky.size, (max(count // 18, 1), 2))
    member = rng.integers(0, len(centres), count)
    around = centres[member] + rng.normal(0, 2.2 / sky.pixel_scale, (count, 2))
    position = np.where(clustered[:, None], around, position)
    _paste_background(sky, position, magnitude, rng)
    bright = magnitude < 21.5
    return [
        Placed("galaxy", x, y, m, 0.7)
        for (x, y), m in zip(position[bright], magnitude[bright], strict=True)
    ]


def _paste_background(sky, position, magnitude, rng):
    library = _library(sky, 120, rng)
    colour = galaxy_colours(len(magnitude), rng)
    fluxes = sky.fluxes(
        np.stack([magnitude + colour[:, 0], magnitude, magnitude - colour[:, 1]], axis=1)
    ).astype(np.float32)
    order = np.argsort([radius for radius, _ in library])
    brightness_rank = (_FAINTEST - magnitude) / (_FAINTEST - _BRIGHTEST)
    size_rank = np.clip(brightness_rank + rng.normal(0, 0.2, len(magnitude)), 0, 0.999)
    chosen = order[(size_rank * len(library)).astype(int)]
    turns = rng.integers(0, 8, len(magnitude))
    for (x, y), flux, index, turn in zip(position, fluxes, chosen, turns, strict=True):
        stamp = np.rot90(library[index][1], turn % 4, axes=(1, 2))
        stamp = stamp[:, :, ::-1] if turn >= 4 else stamp
        sky.paste(stamp * flux[:, None, None], int(x), int(y))


def _library(sky, count, rng):
    """Draw (radius in arcsec, stamps of unit flux) for small galaxies of many shapes."""
    shapes = []
    for _ in range(count):
        radius = float(np.clip(rng.lognormal(-0.9, 0.55), 0.12, 1.6))
        index = float(rng.choice([1.0, 1.5, 2.5, 4.0], p=[0.5, 0.2, 0.15, 0.15]))
        profile = sersic(index, radius, rng.beta(2, 3), rng.uniform(0, np.pi))
        side = 20 * radius * index / sky.pixel_scale
        side = int(np.clip(side, _SMALLEST_STAMP, _LARGEST_STAMP)) | 1
        shapes.append((radius, sky.draw(profile, side, *rng.uniform(-0.5, 0.5, 2))))
    return shapes


def add_spirals(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Add disc galaxies of normal brightness, round to edge-on.

    They are no LSBGs, and their arms, knots and outskirts break into candidates of their own.

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
    return [_spiral(sky, x, y, rng) for x, y in rng.uniform(0, sky.size, (count, 2))]


def _spiral(sky, x, y, rng) -> Placed:
    radius = min(2.2 + rng.exponential(4.0), 14.0)
    magnitude = min(rng.normal(22.9, 0.6), 23.7) - 2.5 * np.log10(2 * np.pi * radius**2)
    g_r = rng.normal(0.55, 0.14)
    fluxes = sky.fluxes(magnitude - np.array([0.0, g_r, g_r + rng.normal(0.35, 0.08)]))
    bulge = rng.uniform(0.03, 0.35)
    ellipticity, angle = rng.uniform(0.0, 0.85), rng.uniform(0, np.pi)
    side = int(9 * radius / sky.pixel_scale) | 1
    disc = sky.draw(sersic(1.0, radius, ellipticity, angle), side)
    disc *= spiral_arms((side, radius / sky.pixel_scale), ellipticity, angle, rng)
    disc *= (fluxes * (1 - bulge) / disc.sum(axis=(1, 2)))[:, None, None]
    sky.paste(disc.astype(np.float32), round(x), round(y))
    core = sersic(2.5, radius * 0.2, ellipticity / 2, angle)
    sky.place(core, fluxes * bulge * np.array([0.7, 1.0, 1.2]), x, y, side // 2)
    if rng.random() < 0.7:
        add_knots(sky, fluxes * rng.uniform(0.02, 0.1), x, y, radius * 1.4, rng)
    return Placed("spiral", x, y, magnitude, radius)


def spiral_arms(
    size: tuple[int, float],
    ellipticity: float,
    angle: float,
    rng: np.random.Generator,
    contrast: float | None = None,
) -> np.ndarray:
    """Draw logarithmic spiral arms: their brightness around the mean, 1.

    Parameters
    ----------
    size : (int, float)
        Side of the image and half-light radius of the galaxy, in pixels.
    ellipticity, angle : float
        Of the disc: 1 - b/a, and radians from the x axis.
    rng : numpy.random.Generator
    contrast : float, optional
        Of the arms outside of the half-light radius; none: drawn from 0.2 to 0.9.

    Returns
    -------
    array of float32, shape (side, side)
    """
    side, radius = size
    half = side // 2
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / (1 - ellipticity)
    distance = np.hypot(along, across) / radius + 0.05
    winding = np.log(distance) * rng.uniform(1.0, 3.0)
    phase = rng.integers(1, 4) * (np.arctan2(across, along) - winding)
    strength = rng.uniform(0.2, 0.9) if contrast is None else contrast
    return 1 + strength * np.clip(distance, 0, 1) * np.cos(phase + rng.uniform(0, 2 * np.pi))


def add_ellipticals(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Add early-type galaxies with wide envelopes, some with a family of small red ones.

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
        radius = rng.uniform(2.0, 12.0)
        magnitude = rng.normal(22.6, 0.6) - 2.5 * np.log10(2 * np.pi * radius**2)
        fluxes = sky.fluxes(magnitude - np.array([0.0, 0.85, 1.5]))
        body = sersic(float(rng.choice([2.0, 3.0, 4.0])), radius, rng.beta(2, 5), 0.0)
        body = body.rotate(rng.uniform(0, 180) * galsim.degrees)
        sky.place(body, fluxes, x, y, min(int(24 * radius / sky.pixel_scale), 1000))
        placed.append(Placed("elliptical", x, y, magnitude, radius))
        if rng.random() < 0.4:
            _add_family(sky, x, y, rng)
    return placed


def _add_family(sky, x, y, rng):
    for dx, dy in rng.normal(0, 20 / sky.pixel_scale, (rng.integers(5, 25), 2)):
        fluxes = sky.fluxes(_magnitudes(1, 19.5, 23.5, 0.3, rng)[0] - [0, 0.9, 1.5])
        member = sersic(2.5, rng.uniform(0.3, 1.2), rng.beta(2, 4), rng.uniform(0, np.pi))
        sky.place(member, fluxes, x + dx, y + dy, 65)


def add_blends(sky: Sky, count: int, rng: np.random.Generator) -> list[Placed]:
    """Add knots of a few faint sources within some arcseconds, which pass for one diffuse one.

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
        members = int(rng.integers(2, 7))
        magnitudes = rng.uniform(22.3, 24.8, members) + sky.conditions.model.deeper / 2
        colours = galaxy_colours(members, rng)
        offsets = rng.normal(0, rng.uniform(1.2, 2.6) / sky.pixel_scale, (members, 2))
        for magnitude, (g_r, r_z), (dx, dy) in zip(magnitudes, colours, offsets, strict=True):
            fluxes = sky.fluxes([magnitude, magnitude - g_r, magnitude - g_r - r_z])
            shape = sersic(1.0, rng.uniform(0.2, 0.9), rng.beta(2, 3), rng.uniform(0, np.pi))
            sky.place(shape, fluxes, x + dx, y + dy, 41)
        total = -2.5 * np.log10((10 ** (-0.4 * magnitudes)).sum())
        placed.append(Placed("blend", x, y, total, 2.0))
    return placed


def sersic(index: float, radius: float, ellipticity: float, angle: float) -> galsim.GSObject:
    """Build a Sersic profile of unit flux.

    Parameters
    ----------
    index, radius : float
        Sersic index, and half-light radius in arcseconds.
    ellipticity : float
        1 - b/a; at most 0.85 is drawn.
    angle : float
        Radians from the x axis.

    Returns
    -------
    galsim.GSObject
    """
    profile = galsim.Sersic(n=index, half_light_radius=radius)
    return profile.shear(q=1 - min(ellipticity, 0.85), beta=angle * galsim.radians)


def galaxy_colours(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw (g - r, r - z) of field galaxies, two thirds of them blue.

    Parameters
    ----------
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    array of float64, shape (count, 2)
    """
    red = rng.random(count) < 1 / 3
    g_r = np.where(red, rng.normal(1.1, 0.3, count), rng.normal(0.5, 0.22, count))
    return np.stack([g_r, 0.75 * g_r + rng.normal(0.05, 0.2, count)], axis=1)


def _magnitudes(count, bright, faint, slope, rng):
    """Draw magnitudes with dN/dm ~ 10**(slope m) between two limits."""
    low, high = 10 ** (slope * bright), 10 ** (slope * faint)
    return np.log10(rng.uniform(low, high, count)) / slope


def _spread(size, count, rng, margin=40, separation=110):
    """Draw up to `count` positions at least `separation` pixels apart."""
    chosen: list[np.ndarray] = []
    for candidate in rng.uniform(margin, size - margin, (count * 30, 2)):
        if len(chosen) == count:
            break
        if all(np.hypot(*(candidate - other)) > separation for other in chosen):
            chosen.append(candidate)
    return chosen
