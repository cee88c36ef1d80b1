"""Temperature scaling, intervals and reliability."""

import numpy as np
import pytest

from catalogs import InputError
from lsbg_classifier.calibration import fit_temperature, logit, scale
from lsbg_classifier.training.evaluation import (
    calibration_error,
    judge,
    reliability,
)
from lsbg_classifier.training.intervals import scores_with_intervals


def drawn(count, temperature, seed=0):
    """Labels that come true as often as probabilities say, and logits that are too large."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    labels = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype(int)
    return labels, 1 / (1 + np.exp(-logits * temperature))


def test_labels_may_have_another_fraction_than_the_candidates():
    """Half of the labels are LSBGs, the probabilities are for one in ten."""
    labels, probabilities = drawn(40_000, 0.5)
    rarer = 1 / (1 + np.exp(np.log(9) / 2 - logit(probabilities)))
    assert fit_temperature(labels, rarer, 0.1) == pytest.approx(0.5, rel=0.06)
    assert fit_temperature(labels, rarer) != pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature):
    labels, probabilities = drawn(20_000, temperature)
    found = fit_temperature(labels, probabilities)
    assert found == pytest.approx(temperature, rel=0.06)
    before = calibration_error(labels, probabilities)
    after = calibration_error(labels, scale(probabilities, found))
    assert after < 0.02 and after <= before + 0.002
    order = np.argsort(probabilities, kind="stable")
    assert (np.diff(scale(probabilities, found)[order]) >= 0).all()


def test_certain_probabilities_stay_finite():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    scaled = scale(np.array([0.0, 0.5, 1.0], np.float32), 2.0)
    assert scaled[0] < 0.01 and scaled[1] == 0.5 and scaled[2] > 0.99


def test_one_class_is_refused():
    with pytest.raises(InputError, match="LSBGs and others"):
        fit_temperature(np.ones(5), np.full(5, 0.5))


def test_reliability_of_known_frequencies():
    probabilities = np.repeat([0.1, 0.6], 100)
    labels = np.concatenate([np.arange(100) < 20, np.arange(100) < 60])
    mean, fraction, count = reliability(labels, probabilities, bins=2)
    np.testing.assert_allclose(mean, [0.1, 0.6])
    np.testing.assert_allclose(fraction, [0.2, 0.6])
    assert count.tolist() == [100, 100]
    assert calibration_error(labels, probabilities, bins=2) == pytest.approx(0.05)


def test_intervals_hold_the_value_and_shrink_with_the_sample():
    widths = []
    for count in (100, 2500):
        labels, probabilities = drawn(count, 1.0, seed=3)
        scores = judge(labels, probabilities)
        intervals = scores_with_intervals(labels, probabilities)
        for name, (value, low, high) in intervals.items():
            assert value == getattr(scores, name) and low <= value <= high
        widths.append(np.ptp(intervals["accuracy"][1:]))
    assert widths[0] / widths[1] == pytest.approx(5, rel=0.35)
