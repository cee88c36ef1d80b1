"""Which detection is which mock galaxy, and how often that is by chance."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from catalogs.positions import unit_vectors

_SHIFTS = 8
_SHIFT_RADII = (8.0, 14.0)
"""Match radii between which positions are shifted to estimate chance matches."""


@dataclass(frozen=True)
class Sky:
    """Positions, and which image they belong to.

    Attributes
    ----------
    positions : array of float64, shape (N, 2)
        ICRS degrees; rows that are not finite match nothing.
    groups : array of int, shape (N,), or None
        Only positions of the same group match: several injections into the same sky. None: one.
    """

    positions: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self):
        return len(self.positions)

    def vectors(self, offset: float) -> np.ndarray:
        """Return points in space, groups `offset` apart; NaN positions infinitely far."""
        points = np.full((len(self), 4), 1e6)
        usable = np.isfinite(self.positions).all(axis=1)
        points[usable, :3] = unit_vectors(self.positions[usable])
        points[:, 3] = 0 if self.groups is None else np.asarray(self.groups) * offset
        return points


def match(mocks: Sky, detections: Sky, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Match each mock with the nearest detection, each detection with one mock at most.

    Pairs within the radius are taken in order of their distance: a detection that is nearest to
    two mocks belongs to the nearer one, and the other takes the next that is free.

    Parameters
    ----------
    mocks, detections : Sky
    radius : float
        Arcseconds.

    Returns
    -------
    number : array of int64, shape (mocks,)
        Row of the detection, -1 for none.
    distance : array of float64, shape (mocks,)
        Arcseconds, NaN for none.
    """
    number = np.full(len(mocks), -1)
    distance = np.full(len(mocks), np.nan)
    if not len(mocks) or not len(detections):
        return number, distance
    is_matched = np.zeros(len(detections), bool)
    for apart, mock, detection in _pairs(mocks, detections, radius):
        if number[mock] < 0 and not is_matched[detection]:
            number[mock], distance[mock], is_matched[detection] = detection, apart, True
    return number, distance


def _pairs(mocks: Sky, detections: Sky, radius: float) -> list[tuple[float, int, int]]:
    """List (arcseconds, mock, detection) within a radius, the nearest first."""
    both = mocks.groups is not None and detections.groups is not None
    offset = 1.0 if both else 0.0
    chord = 2 * np.sin(np.radians(radius / 3600) / 2)
    ours, theirs = mocks.vectors(offset), detections.vectors(offset)
    usable = np.isfinite(mocks.positions).all(axis=1)
    near = cKDTree(theirs).query_ball_point(ours[usable], chord)
    pairs: list[tuple[float, int, int]] = []
    for mock, numbers in zip(np.flatnonzero(usable), near, strict=True):
        apart = np.linalg.norm(theirs[numbers] - ours[mock], axis=1)
        seconds = np.degrees(2 * np.arcsin(np.clip(apart / 2, 0, 1))) * 3600
        pairs += zip(seconds.tolist(), [int(mock)] * len(numbers), numbers, strict=True)
    return sorted(pairs)


def chance_rates(
    mocks: Sky, detections: Sky, radius: float, kinds: dict[str, np.ndarray]
) -> dict[str, float]:
    """Estimate which part of the mocks would match by chance.

    The mocks are shifted in eight directions by 8 to 14 match radii, and matched with the
    detections that no mock has; the fraction that matches nevertheless is the rate.

    Parameters
    ----------
    mocks, detections : Sky
    radius : float
        Of the matches, in arcseconds.
    kinds : dict of str to array of bool, shape (detections,)
        Kinds of detections to give the rate for, such as the selected ones.

    Returns
    -------
    dict of str to float
        By kind.
    """
    number, _ = match(mocks, detections, radius)
    free = np.ones(len(detections), bool)
    free[number[number >= 0]] = False
    shifted = [_shifted(mocks, radius, k) for k in range(_SHIFTS)]
    rates = {}
    for name, kind in kinds.items():
        rows = np.flatnonzero(free & kind)
        groups = None if detections.groups is None else detections.groups[rows]
        rest = Sky(detections.positions[rows], groups)
        hits = [np.count_nonzero(match(mock, rest, radius)[0] >= 0) for mock in shifted]
        rates[name] = float(np.mean(hits) / max(len(mocks), 1))
    return rates


def _shifted(mocks: Sky, radius: float, number: int) -> Sky:
    """Shift positions by a vector of some match radii, another for each number."""
    low, high = _SHIFT_RADII
    length = radius * (low + (high - low) * number / (_SHIFTS - 1)) / 3600
    angle = 2 * np.pi * number / _SHIFTS
    ra, dec = mocks.positions.T
    dec = np.clip(dec + length * np.sin(angle), -90, 90)
    ra = ra + length * np.cos(angle) / np.maximum(np.cos(np.radians(dec)), 1e-6)
    return Sky(np.stack([ra, dec], axis=1), mocks.groups)
