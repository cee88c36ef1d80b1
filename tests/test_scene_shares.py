"""The shares of kinds of scenes are recovered from a mixture of known shares."""

import numpy as np
import pytest

from benchmarks.real_weights import weights_of
from benchmarks.scene_shares import discrepancy, fitted_shares, kernels_of

SHARES = {"arm": 0.6, "blend": 0.1, "halo": 0.3}


def kinds_and_mixture():
    """Three kinds that overlap in 6 directions, drawn equally often; and a mixture by SHARES."""
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 1.5, (3, 6))
    kinds = np.repeat(list(SHARES), 300)
    features = np.repeat(centres, 300, axis=0) + rng.normal(0, 1, (900, 6))
    place = rng.choice(3, 600, p=list(SHARES.values()))
    return features, kinds, centres[place] + rng.normal(0, 1, (600, 6))


def test_shares_are_those_of_the_mixture():
    kernels = kernels_of(*kinds_and_mixture())
    found = fitted_shares(kernels, np.arange(600))
    assert found == pytest.approx(list(SHARES.values()), abs=0.06)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    assert abs(discrepancy(kernels, found)) < 0.004
    assert discrepancy(kernels, np.full(3, 1 / 3)) > 0.01


def test_scenes_are_drawn_by_the_shares_of_a_file(tmp_path):
    (tmp_path / "shares.csv").write_text("kind,share\narm,0.6\nblend,0\nhalo,0.4\n")
    kinds = np.array(["arm", "arm", "blend", "halo", "halo", "halo", "halo"])
    weights = weights_of(kinds, tmp_path / "shares.csv")
    np.testing.assert_allclose(weights, [0.3, 0.3, 0, 0.1, 0.1, 0.1, 0.1])
    assert weights_of(kinds, None) is None
