"""How probabilities and flags are spread."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from catalogs.flags import Flag
from pipeline.report.candidates import Candidates
from pipeline.report.judged import known_labels
from pipeline.report.look import COLUMN, HEIGHT, drawing


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
    found, label = candidates.probability[rows], known_labels(candidates)[rows]
    bins = np.linspace(0, 1, 41)
    with drawing(theme, COLUMN, HEIGHT) as (figure, look):
        axes = figure.subplots()
        if (label < 0).any():
            count = f"all ({len(rows):,})" if (label >= 0).any() else None
            axes.hist(found, bins, histtype="stepfilled", color=look.faint, label=count)
        for value, name, colour, style in (
            (1, "LSBG", look.lsbg, {"hatch": "////"}),
            (0, "other", look.other, {"linestyle": "--"}),
        ):
            chosen = found[label == value]
            if len(chosen):
                axes.hist(
                    chosen,
                    bins,
                    histtype="stepfilled",
                    facecolor="none",
                    edgecolor=colour,
                    linewidth=1.5,
                    label=f"{name} ({len(chosen):,})",
                    **style,
                )
        axes.axvline(threshold, color=look.ink, linewidth=0.9, linestyle=":")
        axes.annotate(
            f"threshold {threshold:g}",
            (threshold, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=_side(threshold),
            fontsize=8,
        )
        axes.set(xlabel="probability of LSBG", ylabel="candidates per bin", yscale="log")
        axes.set(xlim=(0, 1))
        axes.set_ylim(0.7, max(axes.get_ylim()[1], 12))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter("")
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside upper center", ncols=3)
    return figure


def _side(fraction: float) -> str:
    """Say where text begins that belongs to a place along an axis."""
    return "left" if fraction < 0.1 else "right" if fraction > 0.9 else "center"


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
            counts[flag.name] = (count, flag.scored)
    numbers = np.array([count for count, _ in counts.values()])
    places = np.arange(len(counts))[::-1]
    with drawing(theme, COLUMN, 1.1 + 0.27 * len(counts)) as (figure, look):
        axes = figure.subplots()
        for scored, name, style in (
            (True, "scored", {"color": look.lsbg}),
            (False, "not scored", {"facecolor": "none", "edgecolor": look.ink, "hatch": "////"}),
        ):
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
