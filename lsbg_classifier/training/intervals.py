"""95% intervals of scores and of their differences, which hold for a few labels too.

An interval of resamplings has no width where all of three labels are classified right. These have:

- accuracy, completeness and purity are fractions: Wilson's score interval (Wilson 1927, JASA 22,
  209; Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101);
- area under the ROC curve: the variance of Hanley & McNeil (1982, Radiology 143, 29) at the ends
  of the interval and not at the measured area, as Newcombe (2006, Stat. Med. 25, 559) proposes. The
  scatter of the rarer class counts most, whichever it is;
- average precision: Wilson's interval with as many trials as there are LSBGs (the binomial interval
  of Boyd, Eng & Page 2013, ECML PKDD, LNCS 8190, 451, in Wilson's form);
- purity at a fixed completeness: Wilson's intervals at the thresholds that may give it, taken
  together; which those are follows from the binomial distribution of the LSBGs above them;
- differences: the method of variance estimates recovery (Newcombe 1998, Stat. Med. 17, 2635,
  method 10; Zou & Donner 2008, Stat. Med. 27, 1693). It joins the intervals of both scores by
  their correlation, which for the areas is that of DeLong, DeLong & Clarke-Pearson (1988,
  Biometrics 44, 837). Both purities have candidates of their own and count as uncorrelated;
- the ROC curve: Wilson's intervals of both of its fractions at each threshold, together 95%.
"""

from dataclasses import asdict

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, rankdata

from lsbg_classifier.training.evaluation import (
    checked,
    judge,
    precision_of_lsbgs,
    roc_curve,
)

METRICS = ("accuracy", "completeness", "purity", "auc", "average_precision", "purity_at_90")
"""The scores that tables have, by the names of `evaluation.Scores`."""

TITLES = {
    "auc": "area under ROC",
    "average_precision": "average precision",
    "purity_at_90": "purity at 0.9 completeness",
}
"""How tables name scores, where they do not by the name itself."""

_Z = 1.959963984540054
"""Standard deviations that hold 95% of a normal distribution."""

_Z_OF_TWO = 2.236477
"""The same for each of two independent values that both lie in their intervals in 95%."""

_NOT_DEFINED = (float("nan"), float("nan"))

ScoreRange = tuple[float, float, float]
"""A score, and the ends of its 95% interval; NaN where it is not defined."""


def wilson(hits: float, trials: float) -> tuple[float, float]:
    """Return Wilson's 95% interval of a fraction; see the module.

    Parameters
    ----------
    hits, trials : float
        The fraction is hits / trials.

    Returns
    -------
    low, high : float
        Both NaN without trials.
    """
    if not trials:
        return _NOT_DEFINED
    fraction, square = hits / trials, _Z**2
    middle = fraction + square / (2 * trials)
    reach = _Z * np.sqrt(fraction * (1 - fraction) / trials + square / (4 * trials**2))
    scale = 1 + square / trials
    low, high = (middle - reach) / scale, (middle + reach) / scale
    # rounding must not put a fraction of 0 or 1 outside its own interval
    return float(min(max(low, 0.0), fraction)), float(max(min(high, 1.0), fraction))


def roc_band(
    labels: np.ndarray, probabilities: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95% band of a ROC curve, which has width for a perfect curve of few labels too.

    At each threshold both fractions have Wilson's interval, wide enough that both lie in theirs in
    95% of samples. The band is bounded by the corners of these rectangles. Resampling, which is
    usual, gives a curve without any mistake a band without width.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `evaluation.roc_curve`.
    places : array of float, shape (M,)
        Fractions of the others called LSBG, at which the band is wanted.

    Returns
    -------
    low, high : arrays of float64, shape (M,)
        Ends of the completeness.
    """
    false, true = roc_curve(labels, probabilities)
    lsbgs = int(np.count_nonzero(labels))
    false_low, false_high = _wilson_of_two(false, len(labels) - lsbgs)
    true_low, true_high = _wilson_of_two(true, lsbgs)
    before = np.searchsorted(false_high, places, side="right")
    after = np.searchsorted(false_low, places, side="right")
    return np.append(0, true_low)[before], np.append(true_high, 1)[after]


def _wilson_of_two(fractions: np.ndarray, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's intervals of fractions, for one of two that must both be right."""
    square = _Z_OF_TWO**2
    middle = fractions + square / (2 * trials)
    spread = fractions * (1 - fractions) / trials + square / (4 * trials**2)
    reach, scale = _Z_OF_TWO * np.sqrt(spread), 1 + square / trials
    low, high = (middle - reach) / scale, (middle + reach) / scale
    return np.clip(low, 0, fractions), np.clip(high, fractions, 1)


def area_interval(area: float, lsbgs: int, others: int) -> tuple[float, float]:
    """Return the 95% interval of an area under the ROC curve; see the module.

    Parameters
    ----------
    area : float
    lsbgs, others : int
        Candidates of each class.

    Returns
    -------
    (float, float)
        NaN if a class is missing.
    """
    if not lsbgs or not others:
        return _NOT_DEFINED
    rarer, commoner = sorted((lsbgs, others))

    def beyond(end: float) -> float:
        far = max(end, 1 - end)
        factor = 1 + (rarer - 1) * (1 - far) / (2 - far) + (commoner - 1) * far / (1 + far)
        return (area - end) ** 2 - _Z**2 * end * (1 - end) * factor / (lsbgs * others)

    inside = float(np.clip(area, 1e-6, 1 - 1e-6))  # where the sign of `beyond` is known
    low, high = brentq(beyond, 0.0, inside), brentq(beyond, inside, 1.0)
    return min(float(low), area), max(float(high), area)


def scores_with_intervals(labels, probabilities, threshold: float = 0.5) -> dict[str, ScoreRange]:
    """Return value and 95% interval of each of `METRICS`.

    Parameters
    ----------
    labels, probabilities, threshold
        As for `evaluation.judge`.

    Returns
    -------
    dict of str to (float, float, float)
        NaN where a score is not defined, such as the area where a class is missing.
    """
    labels, probabilities = checked(labels, probabilities)
    values = asdict(judge(labels, probabilities, threshold))
    called = probabilities > threshold
    lsbgs, others = int(labels.sum()), int((~labels).sum())
    precision = values["average_precision"]
    ends = {
        "accuracy": wilson((called == labels).sum(), len(labels)),
        "completeness": wilson((called & labels).sum(), lsbgs),
        "purity": wilson((called & labels).sum(), called.sum()),
        "auc": area_interval(values["auc"], lsbgs, others),
        "average_precision": wilson(precision * lsbgs, lsbgs)
        if np.isfinite(precision)
        else _NOT_DEFINED,
        "purity_at_90": _purity_interval(labels, probabilities, 0.9),
    }
    return {name: (values[name], *ends[name]) for name in METRICS}


def _purity_interval(labels, probabilities, completeness: float) -> tuple[float, float]:
    """Return the interval of the purity at a completeness, whose threshold is known roughly."""
    lsbgs = np.sort(probabilities[labels])[::-1]
    if not len(lsbgs):
        return _NOT_DEFINED
    first, last = binom.ppf([0.025, 0.975], len(lsbgs), completeness).astype(int)
    needed = int(np.ceil(completeness * len(lsbgs) - 1e-9))
    ends = []
    for rank in (max(first, 1), needed, last + 1):
        lowest = lsbgs[rank - 1] if rank <= len(lsbgs) else -np.inf
        called = probabilities >= lowest
        ends.append(wilson((called & labels).sum(), called.sum()))
    lows, highs = zip(*ends, strict=True)
    return min(lows), max(highs)


def score_differences(
    labels: np.ndarray,
    probabilities: tuple[np.ndarray, np.ndarray],
    thresholds: tuple[float, float] = (0.5, 0.5),
) -> dict[str, ScoreRange]:
    """Return by how much each score changes between two classifications of the same candidates.

    Parameters
    ----------
    labels : array of int or bool, shape (N,)
        As for `evaluation.judge`.
    probabilities : two arrays of float, shape (N,)
        Of the old and of the new one.
    thresholds : two floats
        Of the same.

    Returns
    -------
    dict of str to (float, float, float)
        For each of `METRICS` new minus old, and its 95% interval; NaN where one is not defined.
    """
    old, new = (
        scores_with_intervals(labels, *one) for one in zip(probabilities, thresholds, strict=True)
    )
    correlations = _correlations(np.asarray(labels).astype(bool), probabilities, thresholds)
    return {name: _difference(old[name], new[name], correlations.get(name, 0)) for name in METRICS}


def _difference(old: ScoreRange, new: ScoreRange, correlation: float) -> ScoreRange:
    (a, a_low, a_high), (b, b_low, b_high) = old, new
    if not np.isfinite([a, b]).all():
        return (float("nan"),) * 3
    low = _joined(b - b_low, a_high - a, correlation)
    high = _joined(b_high - b, a - a_low, correlation)
    return b - a, float(max(b - a - low, -1)), float(min(b - a + high, 1))


def _joined(one: float, other: float, correlation: float) -> float:
    """Return the length of the difference of two lengths that are correlated."""
    return np.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0))


def _correlations(labels, probabilities, thresholds) -> dict[str, float]:
    """Return how both scores go together, where they are of the same candidates."""
    called = [p > threshold for p, threshold in zip(probabilities, thresholds, strict=True)]
    right = [one == labels for one in called]
    correlations = {
        "accuracy": _correlation(*right),
        "completeness": _correlation(*(one[labels] for one in called)),
    }
    if labels.any() and not labels.all():
        precisions = (precision_of_lsbgs(labels, p) for p in probabilities)
        correlations["average_precision"] = _correlation(*precisions)
        correlations["auc"] = _area_correlation(labels, probabilities)
    return correlations


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation; 0 where one of both does not vary."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    if len(first) < 2 or not first.std() or not second.std():
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _area_correlation(labels, probabilities) -> float:
    """Return the correlation of two areas under the ROC curve (DeLong et al. 1988)."""
    parts = [_placements(labels, np.asarray(one, float)) for one in probabilities]
    covariance = np.zeros((2, 2))
    for number, count in ((0, labels.sum()), (1, (~labels).sum())):
        if count > 1:
            covariance += np.cov([part[number] for part in parts]) / count
    spread = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / spread) if spread > 0 else 0.0


def _placements(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Return which part of the others is below each LSBG, and of the LSBGs above each other."""
    ranks = rankdata(probabilities)
    inside = [rankdata(probabilities[chosen]) for chosen in (labels, ~labels)]
    below = (ranks[labels] - inside[0]) / (~labels).sum()
    above = 1 - (ranks[~labels] - inside[1]) / labels.sum()
    return below, above
