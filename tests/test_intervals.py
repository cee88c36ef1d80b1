"""Intervals of scores: those of other software where there is one, honest with few labels."""

import math

import numpy as np
import pytest
from astropy.stats import binom_conf_interval
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from lsbg_classifier.training.evaluation import (
    area_under_roc,
    average_precision,
    purity_at_completeness,
    roc_curve,
)
from lsbg_classifier.training.intervals import (
    METRICS,
    area_interval,
    roc_band,
    score_differences,
    scores_with_intervals,
    wilson,
)


@given(trials=st.integers(1, 3000), part=st.floats(0, 1))
def test_fractions_have_the_interval_that_astropy_gives(trials, part):
    hits = round(part * trials)
    expected = binom_conf_interval(hits, trials, confidence_level=0.95, interval="wilson")
    np.testing.assert_allclose(wilson(hits, trials), expected, atol=1e-9)
    low, high = wilson(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1


def test_three_of_three_is_not_certain():
    """Of three and of none: the ends by Wilson's formula, worked out by hand."""
    square = 1.959964**2
    assert wilson(3, 3) == pytest.approx((3 / (3 + square), 1.0))
    assert wilson(0, 3) == pytest.approx((0.0, square / (3 + square)))
    assert math.isnan(wilson(0, 0)[0])


@pytest.mark.parametrize("labels", [[1, 1, 1, 0, 0, 0], [1, 1, 1] + [0] * 26])
def test_no_score_of_few_labels_has_an_interval_without_width(labels):
    labels = np.array(labels)
    found = scores_with_intervals(labels, np.where(labels, 0.9, 0.1))
    for name, (value, low, high) in found.items():
        assert value == 1 == high, name
        assert low < 0.95, name
    # of three LSBGs one more could be missed: the area is no better known than completeness
    assert found["auc"][1] < 0.8 and found["average_precision"][1] < 0.5


@pytest.mark.parametrize("labels", [[0] * 8, [1] * 8])
def test_of_one_class_alone_only_what_is_defined(labels):
    found = scores_with_intervals(np.array(labels), np.linspace(0.1, 0.9, 8))
    assert set(found) == set(METRICS)
    assert all(map(math.isnan, found["auc"])) and all(map(math.isnan, found["average_precision"]))
    assert found["accuracy"][0] == 0.5
    assert math.isnan(found["completeness"][0]) == (labels[0] == 0)


@pytest.mark.parametrize(("lsbgs", "others"), [(6, 14), (5, 60), (200, 200)])
@pytest.mark.parametrize("distance", [1.0, 2.5])
def test_the_band_of_a_roc_curve_holds_the_true_curve_at_each_threshold(lsbgs, others, distance):
    """Of two normal distributions, whose curve is known; at three thresholds, in 95% of samples."""
    rng, cuts = np.random.default_rng(others), np.array([distance, distance / 2, 0.0])
    false, true = norm.sf(cuts), norm.sf(cuts - distance)
    inside = []
    for _ in range(200):
        low, high = roc_band(*binormal(rng, lsbgs, others, distance), false)
        inside.append((low <= true) & (true <= high))
    assert (np.mean(inside, axis=0) >= 0.94).all()


def test_a_perfect_curve_of_few_labels_has_a_band():
    labels, places = np.repeat([1, 0], [6, 14]), np.linspace(0, 1, 101)
    low, high = roc_band(labels, np.where(labels, 0.9, 0.1), places)
    assert (high == 1).all() and (np.diff(low) >= 0).all()
    # one mistake more in each class is well within it
    assert low[places < 1 / 14].max() == 0 and low[places == 0.5] < 5 / 6
    many = np.repeat(labels, 100)
    narrow, _ = roc_band(many, np.where(many, 0.9, 0.1), places)
    assert (narrow[places > 0.01] > 0.98).all()
    labels, probabilities = binormal(np.random.default_rng(1), 30, 50, 1.0)
    low, high = roc_band(labels, probabilities, roc_curve(labels, probabilities)[0])
    assert (low <= roc_curve(labels, probabilities)[1]).all() and (low <= high).all()


@given(
    area=st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)),
    lsbgs=st.integers(1, 400),
    others=st.integers(1, 400),
)
def test_an_area_lies_in_its_interval(area, lsbgs, others):
    low, high = area_interval(area, lsbgs, others)
    assert 0 <= low <= area <= high <= 1
    assert high - low > 0.4 / math.sqrt(min(lsbgs, others) * max(lsbgs, others))
    mirrored = area_interval(1 - area, lsbgs, others)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-6)


def binormal(rng, lsbgs, others, distance):
    labels = np.repeat([1, 0], [lsbgs, others])
    return labels, rng.normal(labels * distance, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("lsbgs", "others"), [(10, 10), (5, 60), (60, 5), (200, 200)])
@pytest.mark.parametrize("distance", [1.0, 2.5])
def test_areas_are_covered_as_often_as_is_said(lsbgs, others, distance):
    """Of two normal distributions, whose area is known."""
    truth = 0.5 * (1 + math.erf(distance / 2))
    rng = np.random.default_rng(lsbgs)
    covered = 0
    for _ in range(300):
        low, high = area_interval(
            area_under_roc(*binormal(rng, lsbgs, others, distance)), lsbgs, others
        )
        covered += low <= truth <= high
    assert covered >= 0.92 * 300


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    labels = rng.random(80) < 0.2
    probabilities = np.round(np.clip(rng.normal(0.3 + 0.3 * labels, 0.2), 0, 1), 1)
    expected = metrics.average_precision_score(labels, probabilities)
    assert average_precision(labels, probabilities) == pytest.approx(expected)


def test_purity_at_a_completeness_counted_by_hand():
    labels = np.array([1] * 10 + [0] * 4)
    lsbgs, others = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.1], [0.97, 0.58, 0.2, 0.05]
    probabilities = np.array([*lsbgs, *others])
    # 9 of 10 LSBGs are at 0.55 or above, with two others
    assert purity_at_completeness(labels, probabilities, 0.9) == pytest.approx(9 / 11)
    assert purity_at_completeness(labels, probabilities, 1.0) == pytest.approx(10 / 13)
    assert math.isnan(purity_at_completeness(labels[10:], probabilities[10:], 0.9))


def test_differences_of_few_labels_tell_nothing():
    labels = np.array([1, 1, 1] + [0] * 26)
    perfect, worse = np.where(labels, 0.9, 0.1), np.where(labels, 0.8, 0.1)
    worse[0] = 0.05
    for first, second in ((perfect, perfect), (worse, perfect)):
        for name, (change, low, high) in score_differences(labels, (first, second)).items():
            assert low <= change <= high, name
            assert low < 0 < high, name


def test_differences_of_many_labels_are_those_of_resampling():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0], [300, 500])
    common = rng.normal(labels * 1.5, 0.8)
    old, new = (common + rng.normal(0, 0.5, 800), common + rng.normal(labels * 0.6, 0.3))
    found = score_differences(labels, (old, new), (0.75, 1.05))
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 800, 800)
        drawn.append(
            area_under_roc(labels[rows], new[rows]) - area_under_roc(labels[rows], old[rows])
        )
    change, low, high = found["auc"]
    assert change == pytest.approx(area_under_roc(labels, new) - area_under_roc(labels, old))
    expected = np.percentile(drawn, [2.5, 97.5])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.012)
    assert 0 < low


def test_differences_of_one_class_are_not_defined():
    labels = np.zeros(5, int)
    change = score_differences(labels, (np.linspace(0, 1, 5),) * 2)["auc"]
    assert all(map(math.isnan, change))
