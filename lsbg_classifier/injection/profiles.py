"""The shapes of mock galaxies as GalSim profiles of unit flux and known half-light radius.

Every shape is a sum of round parts around one centre or near it, stretched as a whole. In that
round frame the share of the light within a radius is known for each part, so that the half-light
radius of the sum is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
from astropy.table import Row
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv
from scipy.stats import ncx2

_KEPT_LIGHT = 0.995
"""Share of the light of an endless Sersic profile within the radius at which it is cut."""

_SMALLEST_CUT, _LARGEST_CUT = 3.5, 8.0
"""Half-light radii between which that radius is kept."""


@dataclass(frozen=True)
class Part:
    """A round part of a shape: its share of the flux, its profile, and the light in a radius."""

    share: float
    profile: galsim.GSObject
    within: Callable[[float], float]


@dataclass(frozen=True)
class Shape:
    """A mock galaxy of unit flux, in arcseconds; x to the west, y to the north.

    Attributes
    ----------
    profile : galsim.GSObject
    reach : float
        Arcseconds from the centre beyond which there is next to nothing.
    """

    profile: galsim.GSObject
    reach: float


def shape_of(mock: Row) -> Shape:
    """Build the shape that a row of `MockModel.draw` describes.

    Parameters
    ----------
    mock : astropy.table.Row
        With the shape's columns. ``R_EFF`` is the half-light radius of the whole shape along the
        geometric mean of its axes.

    Returns
    -------
    Shape
    """
    parts = _parts(mock)
    half = brentq(lambda radius: sum(p.share * p.within(radius) for p in parts) - 0.5, 1e-4, 10.0)
    scale = float(mock["R_EFF"]) / half
    ratio = 1 - float(mock["ELLIPTICITY"])
    turned = (90 + float(mock["PA"])) * galsim.degrees
    profile = galsim.Add([part.profile * part.share for part in parts])
    profile = profile.dilate(scale).shear(q=ratio, beta=turned)
    return Shape(profile, cut_radius(round(float(mock["SERSIC_N"]), 1)) * scale / np.sqrt(ratio))


def _parts(mock) -> list[Part]:
    """List the parts of a mock whose main body has a half-light radius of 1."""
    nucleus, clumps = float(mock["NUCLEUS_FRACTION"]), float(mock["CLUMP_FRACTION"])
    inner = float(mock["INNER_FRACTION"])
    parts = [_sersic(1 - nucleus - clumps - inner, round(float(mock["SERSIC_N"]), 1), 1.0)]
    if nucleus:
        parts.append(Part(nucleus, galsim.Gaussian(sigma=1e-3), lambda radius: 1.0))
    if inner:
        index = round(float(mock["INNER_N"]), 1)
        parts.append(_sersic(inner, index, float(mock["INNER_RADIUS"])))
    if clumps:
        parts += _clumps(clumps, int(mock["CLUMP_SEED"]))
    return parts


def _clumps(share: float, seed: int) -> list[Part]:
    """Break part of the light into 3 to 9 Gaussian knots, most within the half-light radius.

    The centroid of the knots is that of the body.
    """
    generator = np.random.default_rng(seed)
    count = int(generator.integers(3, 10))
    shares = share * generator.dirichlet(np.full(count, 1.5))
    offsets = np.clip(generator.normal(0, 0.7, (count, 2)), -1.6, 1.6)
    offsets -= np.average(offsets, axis=0, weights=shares)
    sigmas = generator.uniform(0.25, 0.6, count) / 2.355
    return [_knot(*knot) for knot in zip(shares, offsets, sigmas, strict=True)]


def _knot(share, offset, sigma) -> Part:
    distance = float(np.hypot(*offset))
    return Part(
        float(share),
        galsim.Gaussian(sigma=float(sigma)).shift(*map(float, offset)),
        lambda radius: float(ncx2.cdf((radius / sigma) ** 2, 2, (distance / sigma) ** 2)),
    )


def _sersic(share: float, index: float, radius: float) -> Part:
    cut, inside = cut_radius(index), _untruncated(index)
    stretch, whole = _cut_profile(index)
    profile = galsim.Sersic(n=index, half_light_radius=1.0, trunc=cut).dilate(radius)
    return Part(share, profile, lambda r: min(1.0, inside(min(r / radius, cut) / stretch) / whole))


@lru_cache
def cut_radius(index: float) -> float:
    """Return at how many half-light radii a Sersic profile is cut, so that it fits in a stamp."""
    b = gammaincinv(2 * index, 0.5)
    radius = (gammaincinv(2 * index, _KEPT_LIGHT) / b) ** index
    return float(np.clip(radius, _SMALLEST_CUT, _LARGEST_CUT))


def _untruncated(index: float) -> Callable[[float], float]:
    """Return the light of an endless profile within a radius in half-light radii."""
    b = gammaincinv(2 * index, 0.5)
    return lambda radius: float(gammainc(2 * index, b * radius ** (1 / index)))


@lru_cache
def _cut_profile(index: float) -> tuple[float, float]:
    """Return the endless half-light radius of a cut profile of half-light radius 1, and its light.

    The second is the share of the endless profile's light within the cut.
    """
    inside, cut = _untruncated(index), cut_radius(index)
    stretch = brentq(lambda s: inside(1 / s) - 0.5 * inside(cut / s), 0.9, 10.0)
    return float(stretch), inside(cut / stretch)
