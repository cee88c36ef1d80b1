"""Candidates against labels: completeness, reliability, ROC curves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lsbg_classifier.training import evaluation
from lsbg_classifier.training.figure_style import COLUMN, HEIGHT, Theme, drawing
from lsbg_classifier.training.intervals import wilson
from lsbg_classifier.training.score_axes import draw_roc, prepare_roc_axes
from pipeline.report.candidates import Candidates
from pipeline.report.quantities import Quantity

_FEWEST = 10
"""Candidates in a bin, at least."""


def known_labels(candidates: Candidates) -> np.ndarray:
    """Return the labels, int: 1, 0, or -1 where unknown."""
    if candidates.label is None:
        return np.full(len(candidates.probability), -1)
    return np.where(np.isin(candidates.label, (0, 1)), candidates.label, -1).astype(int)


def labelled(candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities of the candidates that have both."""
    label = known_labels(candidates)
    chosen = (label >= 0) & np.isfinite(candidates.probability)
    return label[chosen], candidates.probability[chosen]


def of_lsbgs(candidates, quantity, threshold) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantity of the labelled LSBGs that have it, and whether they are recovered.

    Parameters
    ----------
    candidates : Candidates
    quantity : Quantity
    threshold : float
        Probability above which an LSBG is recovered.

    Returns
    -------
    values : array of float, shape (N,)
        Of LSBGs with a probability and a finite quantity; in the unit of the quantity.
    recovered : array of bool, shape (N,)
    """
    probability = candidates.probability
    chosen = (
        (known_labels(candidates) == 1) & np.isfinite(probability) & np.isfinite(quantity.values)
    )
    return quantity.values[chosen], probability[chosen] > threshold


def completeness(
    candidates: Candidates,
    quantity: Quantity,
    *,
    threshold: float = 0.5,
    theme: str = "light",
) -> Figure:
    """Draw which part of the labelled LSBGs is found, in bins of equal count of a quantity.

    Vertical bars are 95% binomial intervals (Wilson's), horizontal ones the bins. LSBGs without a
    probability are left out.

    Parameters
    ----------
    candidates : Candidates
        With labels.
    quantity : Quantity
    threshold : float
        Found above this.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no labelled LSBG has both a probability and this quantity.
    """
    values, recovered = of_lsbgs(candidates, quantity, threshold)
    if not len(values):
        raise ValueError("no labelled LSBG has a probability and this quantity")
    order = np.argsort(values, kind="stable")
    bins = int(np.clip(len(values) // _FEWEST, 1, 12))
    parts = np.array_split(order, bins)
    middle, left, right = np.array(
        [(np.median(values[p]), values[p].min(), values[p].max()) for p in parts]
    ).T
    hits, counts = (np.array([f(recovered[p]) for p in parts]) for f in (np.count_nonzero, len))
    with drawing(theme, COLUMN, HEIGHT) as (figure, look):
        axes = figure.subplots()
        axes.axhline(recovered.mean(), color=look.faint, linewidth=1, linestyle="--", zorder=1)
        axes.errorbar(
            middle,
            hits / counts,
            xerr=(middle - left, right - middle),
            yerr=_reach(hits, counts),
            **_points(look),
        )
        axes.set(xlabel=quantity.label, ylabel=f"completeness above {threshold:g}")
        axes.set_ylim(-0.03, 1.03)
        axes.set_title(f"{len(values):,} LSBGs, {recovered.mean():.3f} of them found", fontsize=8)
    return figure


def reliability(candidates: Candidates, *, theme: str = "light") -> Figure:
    """Draw how often probabilities come true, in bins of equal count with 95% intervals.

    Parameters
    ----------
    candidates : Candidates
        With labels.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no candidate has both a probability and a label.
    """
    label, probability = labelled(candidates)
    if not len(label):
        raise ValueError("no candidate has a probability and a label")
    bins = int(np.clip(len(label) // _FEWEST, 1, 10))
    mean, fraction, count = evaluation.reliability(label, probability, bins)
    with drawing(theme, COLUMN, 3.9) as (figure, look):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=look.faint, linewidth=1, linestyle="--")
        axes.errorbar(
            mean,
            fraction,
            yerr=_reach(np.round(fraction * count), count),
            **_points(look),
        )
        axes.set(xlabel="mean probability of LSBG", ylabel="fraction labelled LSBG")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_title(f"{len(label):,} labelled candidates", fontsize=8)
    return figure


def roc_curves(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], *, theme: str = "light"
) -> Figure:
    """Draw ROC curves of several weights on the same labels.

    Parameters
    ----------
    curves : mapping of str to (labels, probabilities)
        Arrays of shape (N,) with LSBGs and others, by the name of the weights; up to four.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If only one class is present.
    """
    with drawing(theme, COLUMN, 4.3) as (figure, look):
        axes = figure.subplots()
        prepare_roc_axes(axes, look)
        styles = zip(
            (look.other, look.lsbg, look.ink, look.ink), ("--", "-", "-.", ":"), strict=True
        )
        for (name, scored), (colour, line) in zip(curves.items(), styles, strict=False):
            title = f"{_plain(name)}, area {evaluation.area_under_roc(*scored):.3f}"
            draw_roc(axes, *scored, color=colour, linestyle=line, linewidth=1.7, label=title)
        axes.set(aspect="equal")
        figure.legend(loc="outside upper center", ncols=1)
    return figure


def _points(look: Theme) -> dict:
    """Return the style of points with error bars."""
    return {
        "fmt": "o",
        "color": look.lsbg,
        "ecolor": look.ink,
        "elinewidth": 0.9,
        "markersize": 5,
    }


def _plain(name: str) -> str:
    """Keep a name from being read as mathematics, or from being hidden by an underscore."""
    return name.replace("$", r"\$").lstrip("_")[:60]


def _reach(hits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return how far the 95% interval of each fraction reaches down and up; shape (2, bins)."""
    low, high = np.array([wilson(*pair) for pair in zip(hits, counts, strict=True)]).T
    return np.clip([hits / counts - low, high - hits / counts], 0, None)
