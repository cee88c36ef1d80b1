"""Matches are those of astropy's matching on the sky, also at the poles and across 0 h."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from catalogs.matching import SAME_POSITION, KnownPositions


def scene(declination, count=60):
    """Known positions, and positions 0 to 1.2 arcsec away from them in every direction."""
    rng = np.random.default_rng(4)
    known = SkyCoord(
        rng.uniform(-0.003, 0.003, count) * u.deg / np.cos(np.radians(min(abs(declination), 89.9))),
        np.clip(declination + rng.uniform(-0.003, 0.003, count), -90, 90) * u.deg,
    )
    moved = known.directional_offset_by(
        rng.uniform(0, 360, count) * u.deg, rng.uniform(0, 1.2, count) * u.arcsec
    )
    return known, moved


def degrees(sky):
    return np.stack([sky.ra.deg, sky.dec.deg], axis=1)


@pytest.mark.parametrize("declination", [0.0, 60.0, -89.998, 89.999])
@pytest.mark.parametrize("radius", [SAME_POSITION, 1.0])
def test_matches_are_those_of_astropy(declination, radius):
    known, moved = scene(declination)
    nearest, distance, _ = moved.match_to_catalog_sky(known)
    expected = np.where(distance.arcsec <= radius, nearest, -1)
    assert 0 < (expected >= 0).sum() < len(expected)
    matches = KnownPositions(degrees(known), radius).match(degrees(moved))
    np.testing.assert_array_equal(matches, expected)


def test_pairs_are_those_of_astropy():
    known, moved = scene(10.0)
    both = np.concatenate([degrees(known), [[np.nan, 0]], degrees(moved)])
    first, second, _, _ = SkyCoord(*np.nan_to_num(both, nan=77).T, unit="deg").search_around_sky(
        SkyCoord(*np.nan_to_num(both, nan=77).T, unit="deg"), SAME_POSITION * u.arcsec
    )
    expected = {(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a < b}
    got = {tuple(sorted(pair)) for pair in KnownPositions(both).pairs().tolist()}
    assert got == expected and len(got) > 10


def test_what_is_not_finite_matches_nothing():
    known = KnownPositions([[np.nan, 1.0], [10.0, 20.0], [np.inf, 0.0]])
    assert known.match([[np.nan, 1.0], [10.0, 20.0], [11.0, 20.0]]).tolist() == [-1, 1, -1]
    assert KnownPositions(np.empty((0, 2))).match([[1.0, 2.0]]).tolist() == [-1]
    assert known.match(np.empty((0, 2))).tolist() == []
    assert KnownPositions(np.empty((0, 2))).pairs().shape == (0, 2)
