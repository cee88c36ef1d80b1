"""How probabilities and flags are spread."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from catalogs.flags import Flag
from lsbg_classifier.training.figure_style import COLUMN, HEIGHT, drawing
from lsbg_classifier.training.score_axes import draw_histogram, mark_threshold
from pipeline.report.accuracy_figures import known_labels
from pipeline.report.candidates import Candidates


def probabilities(candidates: Candidates, *, threshold: float = 0.5, theme: str = "light"):
    """Draw how the probabilities are spread; by class where labels are known.

    Parameters
    ----------
    candidates : Candidates
        Labels other than 0 and 1 are unknown.
    threshold : float
        Called an LSBG above this; a dotted line.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = candidates.scored
    with drawing(theme, COLUMN, HEIGHT) as (figure, look):
        axes = figure.subplots()
        draw_histogram(axes, candidates.probability[rows], known_labels(candidates)[rows], look)
        mark_threshold(axes, threshold, look)
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside upper center", ncols=3)
    return figure


def flag_counts(candidates: Candidates, *, theme: str = "light") -> Figure:
    """Draw how many rows carry each flag, and how many none; hatched: not scored.

    Parameters
    ----------
    candidates : Candidates
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    flags = candidates.flags
    counts = {"no flag": (int(np.count_nonzero(flags == 0)), True)}
    for flag in Flag:
        count = int(np.count_nonzero(flags & flag))
        if count:
            counts[str(flag.name)] = (count, flag.scored)
    numbers = np.array([count for count, _ in counts.values()])
    places = np.arange(len(counts))[::-1]
    with drawing(theme, COLUMN, 1.1 + 0.27 * len(counts)) as (figure, look):
        axes = figure.subplots()
        kinds: tuple[tuple[bool, str, dict[str, Any]], ...] = (
            (True, "scored", {"color": look.lsbg}),
            (False, "not scored", {"facecolor": "none", "edgecolor": look.ink, "hatch": "////"}),
        )
        for scored, name, style in kinds:
            mine = np.array([kind == scored for _, kind in counts.values()])
            if mine.any():
                axes.barh(places[mine], numbers[mine], 0.66, label=name, **style)
        for place, number in zip(places, numbers, strict=True):
            axes.annotate(
                f"{number:,}", (max(number, 0.7), place), (4, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
        axes.set_yticks(places, list(counts))
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="candidates", xscale="log", xlim=(0.7, 15 * max(numbers.max(), 2)))
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
        figure.legend(loc="outside upper center", ncols=2)
    return figure
