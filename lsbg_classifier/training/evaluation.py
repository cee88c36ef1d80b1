"""How good probabilities are, in the terms of the paper (Tanoglidis et al. 2021, section 4)."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Scores:
    """Scores of a classification against the truth.

    Attributes
    ----------
    count : int
        Candidates judged.
    accuracy : float
        Fraction classified right.
    completeness : float
        Fraction of the LSBGs that were found; NaN without LSBGs.
    purity : float
        Fraction of those called LSBG that are; NaN if none was.
    auc : float
        Area under the ROC curve; NaN if only one class is present.
    average_precision : float
        Mean purity over all thresholds at which another LSBG is found; NaN if only one class is
        present. The fraction of LSBGs is what chance would give.
    purity_at_90 : float
        Purity at the threshold above which 90% of the LSBGs are; NaN without LSBGs.
    """

    count: int
    accuracy: float
    completeness: float
    purity: float
    auc: float
    average_precision: float
    purity_at_90: float


def judge(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> Scores:
    """Compare probabilities with labels.

    Parameters
    ----------
    labels : array of int or bool, shape (N,)
        1 = LSBG, 0 = not.
    probabilities : array of float, shape (N,)
        All finite.
    threshold : float
        Called an LSBG above this.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes differ, or a probability is not finite.
    """
    labels, probabilities = checked(labels, probabilities)
    if not len(labels):
        raise ValueError("there is nothing to judge")
    called = probabilities > threshold
    return Scores(
        len(labels),
        float((called == labels).mean()),
        _fraction(called & labels, labels),
        _fraction(called & labels, called),
        area_under_roc(labels, probabilities),
        average_precision(labels, probabilities),
        purity_at_completeness(labels, probabilities, 0.9),
    )


def _fraction(part: np.ndarray, whole: np.ndarray) -> float:
    """Return how many of a whole are in a part of it, both bool; NaN of nothing."""
    count = np.count_nonzero(whole)
    return np.count_nonzero(part) / count if count else float("nan")


def area_under_roc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the probability that a random LSBG scores above a random other, ties counted half.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.

    Returns
    -------
    float
        NaN if only one class is present.

    Raises
    ------
    ValueError
        If the shapes differ, or a probability is not finite.
    """
    labels, probabilities = checked(labels, probabilities)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(probabilities)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def roc_curve(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of the ROC curve, one a distinct probability, from (0, 0) to (1, 1).

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`, with both classes present.

    Returns
    -------
    false_positive_rate, true_positive_rate : arrays of float64, shape (M,)

    Raises
    ------
    ValueError
        If only one class is present, the shapes differ, or a probability is not finite.
    """
    labels, probabilities = checked(labels, probabilities)
    if labels.all() or not labels.any():
        raise ValueError("a ROC curve needs LSBGs and others")
    order = np.argsort(-probabilities, kind="stable")
    ordered = labels[order]
    last = np.append(np.diff(probabilities[order]) != 0, True)
    false, true = np.cumsum(~ordered)[last], np.cumsum(ordered)[last]
    return np.append(0, false) / false[-1], np.append(0, true) / true[-1]


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean purity over all thresholds at which another LSBG is found.

    This is the area under the curve of purity against completeness, summed in steps. Candidates
    of one probability count together.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.

    Returns
    -------
    float
        NaN if only one class is present.
    """
    labels, probabilities = checked(labels, probabilities)
    if labels.all() or not labels.any():
        return float("nan")
    return float(precision_of_lsbgs(labels, probabilities).mean())


def precision_of_lsbgs(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return for each LSBG the purity of all that score as high as it or higher.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.

    Returns
    -------
    array of float64, shape (number of LSBGs,)
    """
    labels, probabilities = checked(labels, probabilities)
    ascending = np.sort(probabilities)
    lsbgs = probabilities[labels]
    called = len(labels) - np.searchsorted(ascending, lsbgs, side="left")
    right = len(lsbgs) - np.searchsorted(np.sort(lsbgs), lsbgs, side="left")
    return right / called


def called_at_completeness(
    labels: np.ndarray, probabilities: np.ndarray, completeness: float
) -> np.ndarray:
    """Tell which candidates score high enough for a completeness; bool, shape (N,).

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.
    completeness : float
        In (0, 1]: at least this fraction of the LSBGs is among them; none without LSBGs.

    Returns
    -------
    array of bool, shape (N,)
    """
    labels, probabilities = checked(labels, probabilities)
    lsbgs = np.sort(probabilities[labels])[::-1]
    if not len(lsbgs):
        return np.zeros(len(labels), bool)
    # 0.9 * 10 is 9, and rounding must not make 10 of it
    needed = int(np.ceil(completeness * len(lsbgs) - 1e-9))
    return probabilities >= lsbgs[max(needed, 1) - 1]


def purity_at_completeness(
    labels: np.ndarray, probabilities: np.ndarray, completeness: float
) -> float:
    """Return the purity at the highest threshold that gives a completeness; NaN without LSBGs.

    Parameters
    ----------
    labels, probabilities, completeness
        As for `called_at_completeness`.

    Returns
    -------
    float
    """
    labels, probabilities = checked(labels, probabilities)
    called = called_at_completeness(labels, probabilities, completeness)
    return _fraction(called & labels, called)


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare probabilities with how often they come true, in bins of equal count.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.
    bins : int

    Returns
    -------
    mean_probability, fraction_of_lsbgs, count : arrays, shape (bins,)
        Fewer bins where there are fewer candidates.
    """
    labels, probabilities = checked(labels, probabilities)
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    mean = np.array([probabilities[part].mean() for part in parts])
    fraction = np.array([labels[part].mean() for part in parts])
    return mean, fraction, np.array([len(part) for part in parts])


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error: the mean of |difference| in `reliability`.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `judge`.
    bins : int
        Of equal count.

    Returns
    -------
    float
    """
    mean, fraction, count = reliability(labels, probabilities, bins)
    return float(np.average(abs(mean - fraction), weights=count))


def checked(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Check labels and probabilities, and return both as arrays.

    Parameters
    ----------
    labels : array-like of int or bool, shape (N,)
        1 = LSBG, 0 = not.
    probabilities : array-like of float, shape (N,)

    Returns
    -------
    labels : array of bool, shape (N,)
    probabilities : array, shape (N,)

    Raises
    ------
    ValueError
        If the shapes differ or have more than one dimension, or a probability is not finite.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels and probabilities must have one and the same length, not the shapes "
            f"{labels.shape} and {probabilities.shape}"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite")
    return labels.astype(bool), probabilities
