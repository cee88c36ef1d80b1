"""Parts that several figures have: ROC curves, histograms of probabilities, reliability."""

import numpy as np
from matplotlib.axes import Axes

from lsbg_classifier.training.evaluation import roc_curve
from lsbg_classifier.training.figure_style import Theme

CLASSES = ((1, "LSBG"), (0, "other"))
"""Values of labels, and what they are called."""


def class_style(value: int, theme: Theme) -> dict:
    """Return how the bars of a class look: LSBGs hatched, the others with a dashed line.

    Parameters
    ----------
    value : int
        Label: 1 = LSBG, 0 = not.
    theme : Theme

    Returns
    -------
    dict
        Options of `matplotlib.axes.Axes.hist`.
    """
    if value:
        return {"edgecolor": theme.lsbg, "facecolor": "none", "hatch": "////", "linewidth": 1.5}
    return {"edgecolor": theme.other, "facecolor": "none", "linestyle": "--", "linewidth": 1.5}


def draw_histogram(axes: Axes, probability: np.ndarray, labels: np.ndarray, theme: Theme):
    """Draw how probabilities are spread, each class for itself; counts on a logarithmic axis.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    probability : array of float, shape (N,)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not, -1 = not known. All candidates are drawn together where a label is
        not known.
    theme : Theme
    """
    bins = np.linspace(0, 1, 41).tolist()
    known = labels >= 0
    if not known.all():
        count = f"all ({len(labels):,})" if known.any() else None
        axes.hist(probability, bins, histtype="stepfilled", color=theme.faint, label=count)
    for value, name in CLASSES:
        of_class = probability[labels == value]
        if len(of_class):
            style = class_style(value, theme) | {"label": f"{name} ({len(of_class):,})"}
            axes.hist(of_class, bins, histtype="stepfilled", **style)
    axes.set(xlabel="probability of LSBG", ylabel="candidates per bin", yscale="log", xlim=(0, 1))
    axes.set_ylim(0.7, max(axes.get_ylim()[1], 12))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter("")


def mark_threshold(axes: Axes, threshold: float, theme: Theme, size: float = 8):
    """Draw a threshold as a dotted line across a histogram, with its number above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Of the histogram; its x axis runs from 0 to 1.
    threshold : float
    theme : Theme
    size : float
        Of the text, in points.
    """
    side = "left" if threshold < 0.1 else "right" if threshold > 0.9 else "center"
    axes.axvline(threshold, color=theme.ink, linewidth=0.9, linestyle=":")
    axes.annotate(
        f"threshold {threshold:g}",
        (threshold, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha=side,
        fontsize=size,
    )


def prepare_roc_axes(axes: Axes, theme: Theme):
    """Label the axes of ROC curves, set their limits, and draw the diagonal of random guesses.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    theme : Theme
    """
    axes.plot([0, 1], [0, 1], color=theme.faint, linewidth=1, linestyle=":")
    axes.set(xlabel="fraction of others called LSBG", ylabel="completeness")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def draw_roc(axes: Axes, labels: np.ndarray, probability: np.ndarray, **style):
    """Draw a ROC curve.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    labels, probability : arrays, shape (N,)
        As for `evaluation.judge`, with both classes present.
    **style
        Of the line, as for `matplotlib.axes.Axes.plot`.
    """
    axes.plot(*roc_curve(labels, probability), **style)
