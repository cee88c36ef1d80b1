"""Scores against their definitions, counted pair by pair and candidate by candidate."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbg_classifier.training.evaluation import area_under_roc, judge, roc_curve

# Few distinct probabilities, so that ties are the rule.
PROBABILITY = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
JUDGED = st.lists(st.tuples(st.booleans(), PROBABILITY), min_size=1, max_size=40)
THRESHOLD = st.sampled_from([0.0, 0.25, 0.4, 0.5, 1.0])


def columns(judged):
    labels, probabilities = zip(*judged, strict=True)
    return np.array(labels, int), np.array(probabilities)


def split(judged):
    return [p for label, p in judged if label], [p for label, p in judged if not label]


def fraction(part, whole):
    return part / whole if whole else math.nan


def same(found, expected):
    return found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(judged=JUDGED, threshold=THRESHOLD)
def test_fractions_are_those_counted_one_by_one(judged, threshold):
    called = [(label, p > threshold) for label, p in judged]
    true = sum(label and is_called for label, is_called in called)
    scores = judge(*columns(judged), threshold)
    assert scores.count == len(judged)
    assert same(scores.accuracy, sum(label == found for label, found in called) / len(judged))
    assert same(scores.completeness, fraction(true, sum(label for label, _ in called)))
    assert same(scores.purity, fraction(true, sum(is_called for _, is_called in called)))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(judged=JUDGED)
def test_area_is_the_fraction_of_pairs_in_the_right_order(judged):
    lsbgs, others = split(judged)
    wins = sum((a > b) + (a == b) / 2 for a in lsbgs for b in others)
    expected = fraction(wins, len(lsbgs) * len(others))
    assert same(area_under_roc(*columns(judged)), expected)
    assert same(judge(*columns(judged)).auc, expected)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(judged=JUDGED.filter(lambda judged: all(split(judged))))
def test_curve_has_that_area_and_a_point_for_every_threshold(judged):
    lsbgs, others = split(judged)
    false, true = roc_curve(*columns(judged))
    trapezoids = np.diff(false) * (true[1:] + true[:-1]) / 2
    assert same(trapezoids.sum(), area_under_roc(*columns(judged)))
    thresholds = sorted({p for _, p in judged}, reverse=True)
    expected = [(0.0, 0.0)] + [
        (np.mean(np.array(others) >= limit), np.mean(np.array(lsbgs) >= limit))
        for limit in thresholds
    ]
    np.testing.assert_allclose(np.stack([false, true], axis=1), expected, atol=1e-12)
    assert (false[-1], true[-1]) == (1, 1)


@settings(max_examples=50, deadline=None)
@given(judged=JUDGED.filter(lambda judged: all(split(judged))), seed=st.integers(0, 99))
def test_order_of_the_candidates_does_not_matter(judged, seed):
    labels, probabilities = columns(judged)
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = judge(labels[order], probabilities[order])
    assert same(astuple(shuffled), astuple(judge(labels, probabilities)))
    np.testing.assert_array_equal(
        roc_curve(labels[order], probabilities[order]), roc_curve(labels, probabilities)
    )


def test_a_worked_example():
    scores = judge([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.6, 0.1])
    assert same(astuple(scores), (5, 3 / 5, 2 / 3, 2 / 3, 4.5 / 6, (1 + 2 / 3 + 3 / 4) / 3, 3 / 4))


@pytest.mark.parametrize(("label", "completeness"), [(1, 0.5), (0, math.nan)])
def test_one_class_alone(label, completeness):
    scores = judge([label] * 2, [0.2, 0.8])
    assert same((scores.completeness, scores.purity), (completeness, float(label)))
    assert math.isnan(scores.auc)
    with pytest.raises(ValueError, match="LSBGs and others"):
        roc_curve([label] * 2, [0.2, 0.8])


def test_nothing_called():
    scores = judge([1, 0], [0.2, 0.1])
    assert scores.completeness == 0 and math.isnan(scores.purity)


def test_the_threshold_itself_is_not_above():
    assert judge([1], [0.5], 0.5).completeness == 0


@pytest.mark.parametrize("score", [judge, area_under_roc, roc_curve])
@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([1, 0], [0.5]),
        ([1], [[0.5]]),
        ([[1, 0]], [[0.5, 0.1]]),
        (1, 0.5),
        ([1, 0], [0.5, math.nan]),
        ([1, 0], [0.5, math.inf]),
    ],
)
def test_what_cannot_be_judged(score, labels, probabilities):
    with pytest.raises(ValueError, match=r"length|finite"):
        score(labels, probabilities)


def test_nothing_to_judge():
    with pytest.raises(ValueError, match="nothing"):
        judge([], [])
    with pytest.raises(ValueError, match="LSBGs and others"):
        roc_curve([], [])
    assert math.isnan(area_under_roc([], []))
