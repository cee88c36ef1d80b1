"""Scenes: cutouts whose middle is drawn, LSBGs and what inspectors reject, by known shares.

A simulated survey holds what its detection finds, most of it easy. Scenes hold what is hard: of
each kind as many as `KINDS` says. The class follows from the selection of DES (Tanoglidis et al.
2021, ApJS 252, 18): one diffuse galaxy in the middle with R_eff(g) > 2.5" and a mean surface
brightness of 24.2 to 28.8 mag/arcsec2.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import galsim
import numpy as np
from scipy import ndimage

from lsbg_classifier.simulation.contaminants import mottled_patch
from lsbg_classifier.simulation.galaxies import (
    add_knots,
    galaxy_colours,
    sersic,
    spiral_arms,
)
from lsbg_classifier.simulation.sky import Sky
from lsbg_classifier.simulation.stars import add_star


class Kind(NamedTuple):
    """A kind of scene: what is drawn in the middle, its class and its share of all scenes."""

    draw: Callable[[Sky, float, float, np.random.Generator], None]
    label: int
    share: float


def _fluxes(sky, brightness, radius, g_r, r_z):
    """Return counts in g, r, z of a galaxy; mean surface brightness in g within R_eff (arcsec)."""
    magnitude = brightness - 2.5 * np.log10(2 * np.pi * radius**2)
    return sky.fluxes([magnitude, magnitude - g_r, magnitude - g_r - r_z])


def _blue(rng):
    return rng.normal(0.38, 0.11), rng.normal(0.2, 0.13)


def _red(rng):
    return rng.normal(0.58, 0.07), rng.normal(0.38, 0.1)


def _side(sky, radius):
    return int(np.clip(10 * radius / sky.pixel_scale, 48, 400))


class _Light(NamedTuple):
    """A galaxy's light: R_eff in arcsec, mean surface brightness in g, g - r and r - z."""

    radius: float
    brightness: float
    colours: tuple[float, float]

    def fluxes(self, sky: Sky) -> np.ndarray:
        """Return counts in g, r, z."""
        return _fluxes(sky, self.brightness, self.radius, *self.colours)


def _galaxy(sky, at, rng, index, light: _Light, flattest=0.7, clumps=0.0):
    """Draw a Sersic galaxy, part of its light in clumps."""
    fluxes = light.fluxes(sky)
    flattening = min(rng.beta(2.0, 4.0), flattest)
    body = sersic(index, light.radius, flattening, rng.uniform(0, np.pi))
    sky.place(body, fluxes * (1 - clumps), *at, _side(sky, light.radius))
    if clumps:
        add_knots(sky, fluxes * clumps, at[0], at[1], light.radius, rng)


def _index(rng, most=2.0):
    return round(float(np.clip(rng.lognormal(-0.2, 0.35), 0.4, most)), 1)


def _smooth(sky, x, y, rng):
    radius = min(2.5 * rng.pareto(2.6) + 2.5, 12.0)
    brightness = 24.2 + min(rng.gamma(1.7, 0.55), 3.3)
    index = _index(rng)
    colours = _red(rng) if rng.random() < 0.4 else _blue(rng)
    _galaxy(sky, (x, y), rng, index, _Light(radius, brightness, colours))


def _clumpy(sky, x, y, rng):
    radius = min(2.5 * rng.pareto(2.6) + 2.6, 9.0)
    brightness = 24.3 + min(rng.gamma(1.6, 0.4), 2.4)
    index, light = _index(rng, 1.2), _Light(radius, brightness, _blue(rng))
    _galaxy(sky, (x, y), rng, index, light, clumps=rng.uniform(0.05, 0.35))


def _nucleated(sky, x, y, rng):
    radius = min(2.5 * rng.pareto(2.2) + 2.7, 10.0)
    brightness = 24.5 + min(rng.gamma(1.6, 0.5), 2.4)
    light = _Light(radius, brightness, _red(rng) if rng.random() < 0.7 else _blue(rng))
    _galaxy(sky, (x, y), rng, _index(rng, 1.4), light, flattest=0.5)
    nucleus = light.fluxes(sky) * rng.uniform(0.005, 0.04)
    sky.place(galsim.Gaussian(fwhm=0.1), nucleus, x, y, 31)


def _faint_dwarf(sky, x, y, rng):
    radius, brightness = rng.uniform(3.0, 10.0), rng.uniform(25.2, 27.5)
    index = round(rng.uniform(0.5, 1.2), 1)
    _galaxy(sky, (x, y), rng, index, _Light(radius, brightness, _red(rng)), flattest=0.5)


def _faint_disc(sky, x, y, rng):
    radius, brightness = rng.uniform(3.0, 7.0), rng.uniform(24.3, 25.6)
    bulge, contrast = rng.uniform(0.0, 0.06), rng.uniform(0.1, 0.5)
    _spiral(sky, (x, y), rng, bulge, contrast, _Light(radius, brightness, _blue(rng)))


def _spiral(sky, at, rng, bulge, contrast, light: _Light):
    """Draw an exponential disc with arms and a bulge."""
    fluxes, radius = light.fluxes(sky), light.radius
    ellipticity, angle = rng.uniform(0.0, 0.65), rng.uniform(0, np.pi)
    side = int(9 * radius / sky.pixel_scale) | 1
    disc = sky.draw(sersic(1.0, radius, ellipticity, angle), side)
    disc *= spiral_arms((side, radius / sky.pixel_scale), ellipticity, angle, rng, contrast)
    disc *= (fluxes * (1 - bulge) / disc.sum(axis=(1, 2)))[:, None, None]
    sky.paste(disc.astype(np.float32), *map(round, at))
    core = sersic(1.5, max(radius * 0.15, 0.25), ellipticity / 2, angle)
    sky.place(core, fluxes * bulge * np.array([0.7, 1.0, 1.2]), *at, side // 2)
    if rng.random() < 0.5:
        add_knots(sky, fluxes * rng.uniform(0.02, 0.12), at[0], at[1], radius * 1.3, rng)


def _small_galaxy(sky, x, y, rng):
    colours = galaxy_colours(1, rng)[0]
    radius, brightness = rng.uniform(0.7, 2.1), rng.uniform(22.3, 24.6)
    _galaxy(sky, (x, y), rng, _index(rng, 4.0), _Light(radius, brightness, colours))


def _small_spiral(sky, x, y, rng):
    radius, brightness = rng.uniform(1.4, 3.4), rng.uniform(22.8, 24.1)
    bulge, contrast = rng.uniform(0.02, 0.25), rng.uniform(0.4, 1.0)
    _spiral(sky, (x, y), rng, bulge, contrast, _Light(radius, brightness, _blue(rng)))


def _spiral_galaxy(sky, x, y, rng):
    radius, brightness = rng.uniform(2.6, 7.0), rng.uniform(21.8, 24.0)
    bulge, contrast = rng.uniform(0.05, 0.35), rng.uniform(0.3, 0.9)
    light = _Light(radius, brightness, (rng.normal(0.55, 0.14), rng.normal(0.35, 0.08)))
    _spiral(sky, (x, y), rng, bulge, contrast, light)


def _irregular(sky, x, y, rng):
    """Draw a small blue galaxy with a bright knot off its middle."""
    light = _Light(rng.uniform(1.4, 3.2), rng.uniform(23.2, 24.8), _blue(rng))
    _galaxy(sky, (x, y), rng, 0.7, light, clumps=rng.uniform(0.2, 0.6))
    knot = light.fluxes(sky) * rng.uniform(0.1, 0.5)
    dx, dy = rng.normal(0, 0.7 * light.radius / sky.pixel_scale, 2)
    sky.place(galsim.Gaussian(fwhm=rng.uniform(0.2, 1.0)), knot, x + dx, y + dy, 65)


def _outskirts(sky, x, y, rng):
    """Draw a large galaxy of which the middle shows an arm or the envelope."""
    radius = rng.uniform(3.0, 9.0)
    away = rng.uniform(0.9, 2.2) * radius / sky.pixel_scale
    angle = rng.uniform(0, 2 * np.pi)
    at = x + away * np.cos(angle), y + away * np.sin(angle)
    brightness = rng.uniform(21.5, 23.8)
    if rng.random() < 0.6:
        bulge, contrast = rng.uniform(0.02, 0.3), rng.uniform(0.4, 1.0)
        light = _Light(radius, brightness, (rng.normal(0.5, 0.14), rng.normal(0.3, 0.1)))
        _spiral(sky, at, rng, bulge, contrast, light)
    else:
        index = round(rng.uniform(1.0, 4.0), 1)
        _galaxy(sky, at, rng, index, _Light(radius, brightness, (0.75, 0.6)))


def _group(sky, x, y, rng):
    """Draw some faint sources within a few arcseconds."""
    members = int(rng.integers(2, 9))
    magnitudes = rng.uniform(22.3, 25.0, members)
    colours = galaxy_colours(members, rng)
    offsets = rng.normal(0, rng.uniform(1.2, 3.0) / sky.pixel_scale, (members, 2))
    for magnitude, (g_r, r_z), (dx, dy) in zip(magnitudes, colours, offsets, strict=True):
        fluxes = sky.fluxes([magnitude, magnitude - g_r, magnitude - g_r - r_z])
        shape = sersic(1.0, rng.uniform(0.2, 1.0), rng.beta(2, 3), rng.uniform(0, np.pi))
        sky.place(shape, fluxes, x + dx, y + dy, 41)


def _debris(sky, x, y, rng):
    """Draw a curved streak, beside the galaxy that lost it in half of the cases."""
    width, radius = rng.uniform(1.0, 3.0), rng.uniform(5.0, 14.0)
    side = int(2.6 * radius / sky.pixel_scale) | 1
    dy, dx = (np.mgrid[:side, :side] - side // 2).astype(np.float32) * sky.pixel_scale
    arc = np.exp(-(((np.hypot(dx, dy) - radius) / width) ** 2) / 2)
    arc *= np.exp(-((np.arctan2(dy, dx) / rng.uniform(0.3, 0.9)) ** 2) / 2)
    arc = ndimage.rotate(arc, turn := rng.uniform(0, 360), reshape=False, order=1)
    peak = sky.fluxes(rng.uniform(24.6, 26.4) - np.array([0.0, 0.5, 0.85])) * sky.pixel_scale**2
    angle = np.radians(turn)
    centre_x = x - np.cos(angle) * radius / sky.pixel_scale
    centre_y = y + np.sin(angle) * radius / sky.pixel_scale
    sky.paste((peak[:, None, None] * arc).astype(np.float32), round(centre_x), round(centre_y))
    if rng.random() < 0.6:
        light = _Light(rng.uniform(1.5, 4.0), rng.uniform(21.0, 23.0), (0.7, 0.5))
        _galaxy(sky, (centre_x, centre_y), rng, 2.5, light)


def _beside_star(sky, x, y, rng):
    """Draw one or two stars some arcseconds off an empty middle."""
    for _ in range(int(rng.integers(1, 3))):
        away, angle = rng.uniform(3.0, 15.0) / sky.pixel_scale, rng.uniform(0, 2 * np.pi)
        magnitude = rng.uniform(12.5, 21.0)
        add_star(sky, magnitude, x + away * np.cos(angle), y + away * np.sin(angle), rng)


def _wisp(sky, x, y, rng):
    """Draw a mottled cloud that is no galaxy, or a veil over all of the cutout."""
    radius = rng.uniform(3.0, 20.0)
    patch = mottled_patch(radius / sky.pixel_scale, rng)
    patch = ndimage.gaussian_filter(patch, 1.8)
    away, angle = rng.uniform(0.3, 1.3) * radius / sky.pixel_scale, rng.uniform(0, 2 * np.pi)
    fluxes = _fluxes(sky, rng.uniform(25.6, 27.4), radius, rng.normal(0.45, 0.2), 0.3)
    x, y = x + away * np.cos(angle), y + away * np.sin(angle)
    sky.paste((fluxes[:, None, None] * patch).astype(np.float32), round(x), round(y))


def _nothing(sky, x, y, rng):
    """Leave the middle as the sky has it."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "smooth": Kind(_smooth, 1, 0.17),
        "clumpy": Kind(_clumpy, 1, 0.10),
        "nucleated": Kind(_nucleated, 1, 0.04),
        "faint dwarf": Kind(_faint_dwarf, 1, 0.09),
        "faint disc": Kind(_faint_disc, 1, 0.04),
        "small galaxy": Kind(_small_galaxy, 0, 0.07),
        "small spiral": Kind(_small_spiral, 0, 0.08),
        "spiral": Kind(_spiral_galaxy, 0, 0.05),
        "irregular": Kind(_irregular, 0, 0.08),
        "outskirts": Kind(_outskirts, 0, 0.08),
        "group": Kind(_group, 0, 0.07),
        "debris": Kind(_debris, 0, 0.03),
        "beside a star": Kind(_beside_star, 0, 0.04),
        "wisp": Kind(_wisp, 0, 0.02),
        "nothing": Kind(_nothing, 0, 0.04),
    }
)
"""The kinds of scenes; their shares add up to 1."""


SPACING = 33.5
"""Arcseconds between the middles of scenes: the width of a cutout."""


def draw_scenes(sky: Sky, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fill a patch of sky with scenes, in rows and columns.

    Parameters
    ----------
    sky : Sky
        Its images are changed.
    rng : numpy.random.Generator

    Returns
    -------
    xy : array of float64, shape (N, 2)
        The middle of each scene, in pixels from 0, about 0.3" off what was drawn.
    kinds : array of str, shape (N,)
        Names of `KINDS`.
    """
    step = SPACING / sky.pixel_scale
    along = np.arange(step * rng.uniform(0.5, 0.9), sky.size - step / 2, step)
    xy = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    shares = np.array([kind.share for kind in KINDS.values()])
    kinds = rng.choice(list(KINDS), len(xy), p=shares / shares.sum())
    for (x, y), kind in zip(xy, kinds, strict=True):
        KINDS[kind].draw(sky, x, y, rng)
    return xy + rng.normal(0, 0.3 / sky.pixel_scale, xy.shape), kinds
