"""How good probabilities are, in the terms of the paper (Tanoglidis et al. 2021, section 4)."""

from dataclasses import asdict, dataclass

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
        If there is nothing to judge, the shapes differ, or a probability is not finite.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not len(labels):
        raise ValueError("there is nothing to judge")
    called = probabilities > threshold
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

    NaN if only one class is present; `ValueError` as for `judge`.
    """
    labels, probabilities = _checked(labels, probabilities)
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
    labels, probabilities = _checked(labels, probabilities)
    if labels.all() or not labels.any():
        raise ValueError("a ROC curve needs LSBGs and others")
    order = np.argsort(-probabilities, kind="stable")
    ordered = labels[order]
    last = np.append(np.diff(probabilities[order]) != 0, True)
    false, true = np.cumsum(~ordered)[last], np.cumsum(ordered)[last]
    return np.append(0, false) / false[-1], np.append(0, true) / true[-1]


def bootstrap_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float = 0.5,
    *,
    resamplings: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return the 95% interval of each score, by resampling the candidates with replacement.

    The paper's way (Tanoglidis et al. 2021, section 4.1).

    Parameters
    ----------
    labels, probabilities, threshold
        As for `judge`.
    resamplings : int
    seed : int

    Returns
    -------
    dict of str to (float, float)
        Percentiles 2.5 and 97.5 of ``accuracy``, ``completeness``, ``purity`` and ``auc``.
    """
    drawn = _resampled(labels, probabilities, threshold, resamplings, seed)
    return {name: _interval(values) for name, values in drawn.items()}


def bootstrap_differences(
    labels: np.ndarray,
    probabilities: tuple[np.ndarray, np.ndarray],
    thresholds: tuple[float, float] = (0.5, 0.5),
    *,
    resamplings: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """Return by how much each score changes between two classifications of the same candidates.

    Both are judged on the same resamplings, so that what is hard for both cancels.

    Parameters
    ----------
    labels : array of int or bool, shape (N,)
        As for `judge`.
    probabilities : two arrays of float, shape (N,)
        Of the old and of the new one.
    thresholds : two floats
        Of the same.
    resamplings : int
    seed : int

    Returns
    -------
    dict of str to (float, float, float)
        New minus old of ``accuracy``, ``completeness``, ``purity`` and ``auc``, and the percentiles
        2.5 and 97.5 of the resamplings.
    """
    both = list(zip(probabilities, thresholds, strict=True))
    old, new = (asdict(judge(labels, *one)) for one in both)
    drawn_old, drawn_new = (_resampled(labels, *one, resamplings, seed) for one in both)
    return {
        name: (new[name] - old[name], *_interval(drawn_new[name] - drawn_old[name]))
        for name in drawn_old
    }


def _resampled(labels, probabilities, threshold, resamplings, seed) -> dict[str, np.ndarray]:
    """Return each score on every resampling of the candidates; the same ones for a seed."""
    labels, probabilities = _checked(labels, probabilities)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamplings):
        rows = rng.integers(0, len(labels), len(labels))
        drawn.append(asdict(judge(labels[rows], probabilities[rows], threshold)))
    return {
        name: np.array([scores[name] for scores in drawn])
        for name in ("accuracy", "completeness", "purity", "auc")
    }


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the percentiles 2.5 and 97.5 of those that are defined; NaN if none is."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    return tuple(np.percentile(defined, [2.5, 97.5]).tolist())


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare probabilities with how often they come true, in bins of equal count.

    Returns
    -------
    mean_probability, fraction_of_lsbgs, count : arrays, shape (bins,)
        Fewer bins where there are fewer candidates.
    """
    labels, probabilities = _checked(labels, probabilities)
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    mean = np.array([probabilities[part].mean() for part in parts])
    fraction = np.array([labels[part].mean() for part in parts])
    return mean, fraction, np.array([len(part) for part in parts])


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error: the mean of |difference| in `reliability`."""
    mean, fraction, count = reliability(labels, probabilities, bins)
    return float(np.average(abs(mean - fraction), weights=count))


def _checked(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, of bool and float, or raise ValueError."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels and probabilities must have one and the same length, not the shapes "
            f"{labels.shape} and {probabilities.shape}"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite")
    return labels.astype(bool), probabilities
