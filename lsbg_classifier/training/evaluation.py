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
    """

    count: int
    accuracy: float
    completeness: float
    purity: float
    auc: float


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

    Raises
    ------
    ValueError
        If there is nothing to judge, or the shapes differ.
    """
    labels = np.asarray(labels).astype(bool)
    if not len(labels) or labels.shape != np.shape(probabilities):
        raise ValueError("labels and probabilities must have the same, non-zero length")
    called = np.asarray(probabilities) > threshold
    with np.errstate(invalid="ignore"):
        return Scores(
            len(labels),
            float((called == labels).mean()),
            float(np.divide((called & labels).sum(), labels.sum())),
            float(np.divide((called & labels).sum(), called.sum())),
            area_under_roc(labels, probabilities),
        )


def area_under_roc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the probability that a random LSBG scores above a random other, ties counted half.

    NaN if only one class is present.
    """
    labels = np.asarray(labels).astype(bool)
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
    """
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    ordered = np.asarray(labels).astype(bool)[order]
    last = np.append(np.diff(np.asarray(probabilities)[order]) != 0, True)
    false, true = np.cumsum(~ordered)[last], np.cumsum(ordered)[last]
    return np.append(0, false) / false[-1], np.append(0, true) / true[-1]
