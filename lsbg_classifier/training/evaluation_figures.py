"""Figures of trainings and evaluations, readable in grey and by the colour-blind."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lsbg_classifier.training.evaluation import area_under_roc, reliability
from lsbg_classifier.training.figure_style import Theme, drawing
from lsbg_classifier.training.intervals import TITLES, roc_band, wilson
from lsbg_classifier.training.score_axes import (
    draw_histogram,
    draw_roc,
    mark_threshold,
    prepare_roc_axes,
)


def draw_history(epochs: Sequence[dict[str, float]]) -> Figure:
    """Draw loss and accuracy against the epoch.

    Parameters
    ----------
    epochs : sequence of dict
        With ``epoch``, ``loss``, ``accuracy`` and, where there was a validation set,
        ``val_loss`` and ``val_accuracy``.
    """
    number = [epoch["epoch"] for epoch in epochs]
    with drawing("light", 9, 3.4) as (figure, theme):
        for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            axes.plot(number, [epoch[name] for epoch in epochs], color=theme.lsbg, label="training")
            if f"val_{name}" in epochs[0]:
                values = [epoch[f"val_{name}"] for epoch in epochs]
                axes.plot(number, values, color=theme.other, linestyle="--", label="validation")
            axes.set(xlabel="epoch", ylabel=name)
        axes.legend()
    return figure


def draw_evaluation(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5
) -> Figure:
    """Draw the ROC curve, the probabilities by class, the reliability and the confusion matrix.

    The ROC curve has its 95% band, see `intervals.roc_band`; the reliability has Wilson's 95%
    intervals. Where there is one class only, the ROC curve says so.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `evaluation.judge`.
    threshold : float
        Called an LSBG above this.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 inches wide, both columns of a journal.
    """
    labels = np.asarray(labels).astype(bool)
    with drawing("light", 7.2, 6.6) as (figure, theme):
        (roc, distribution), (calibration, matrix) = figure.subplots(2, 2)
        _draw_roc_with_band(roc, labels, probabilities, theme)
        _mark_on_roc(roc, labels, probabilities, threshold, theme)
        draw_histogram(distribution, probabilities, labels.astype(int), theme)
        distribution.set_ylim(top=distribution.get_ylim()[1] ** 1.35)  # room for the legend
        mark_threshold(distribution, threshold, theme)
        distribution.legend(loc="upper center", ncols=2, **_over(theme))
        _draw_reliability(calibration, labels, probabilities, theme)
        _draw_confusion(matrix, labels, probabilities > threshold, threshold)
    return figure


def _draw_roc_with_band(axes, labels, probabilities, theme: Theme):
    prepare_roc_axes(axes, theme)
    if labels.all() or not labels.any():
        text = "not defined: there is one class only"
        axes.text(0.5, 0.3, text, ha="center", transform=axes.transAxes)
        return
    grid = np.linspace(0, 1, 501)
    low, high = roc_band(labels, probabilities, grid)
    axes.fill_between(grid, low, high, color=theme.lsbg, alpha=0.2, linewidth=0, label="95% band")
    area = f"area {area_under_roc(labels, probabilities):.3f}"
    draw_roc(axes, labels, probabilities, color=theme.lsbg, linewidth=1.8, label=area)


def _mark_on_roc(axes, labels, probabilities, threshold: float, theme: Theme):
    """Mark the threshold on the ROC curve, and write the legend."""
    if labels.all() or not labels.any():
        return
    called = probabilities > threshold
    place = called[~labels].mean(), called[labels].mean()
    style = {"color": theme.ink, "linestyle": "none", "clip_on": False}
    axes.plot(*place, "o", label=f"threshold {threshold:g}", **style)
    axes.legend(loc="lower right")


def _draw_reliability(axes, labels, probabilities, theme: Theme):
    """Draw how often probabilities come true, with Wilson's 95% intervals."""
    mean, fraction, count = reliability(labels, probabilities)
    ends = np.array([wilson(*pair) for pair in zip(fraction * count, count, strict=True)]).T
    reach = np.clip([fraction - ends[0], ends[1] - fraction], 0, None)
    axes.plot([0, 1], [0, 1], color=theme.faint, linewidth=1, linestyle=":", label="calibrated")
    axes.errorbar(
        mean, fraction, yerr=reach, fmt="o", color=theme.lsbg, ecolor=theme.ink, markersize=5,
        elinewidth=1, capsize=2.5, label="equal groups, 95% intervals",
    )  # fmt: skip
    axes.set(xlabel="mean probability of the group", ylabel="fraction of LSBGs")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="best", **_over(theme))


def _over(theme: Theme) -> dict:
    """Return the style of a legend that covers the lines behind it."""
    return {"frameon": True, "facecolor": theme.background, "edgecolor": "none", "framealpha": 1}


def _draw_confusion(axes, labels, called, threshold: float):
    """Draw how many of each class are called LSBG, each row in fractions of its class."""
    counts = np.array(
        [
            [np.count_nonzero((labels == truth) & (called == said)) for said in (True, False)]
            for truth in (True, False)
        ]
    )
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for (row, column), fraction in np.ndenumerate(fractions):
        text = f"{counts[row, column]:,}\n{100 * fraction:.1f}%"
        colour = "white" if fraction > 0.75 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    axes.axhline(0.5, color="white", linewidth=2)
    axes.axvline(0.5, color="white", linewidth=2)
    axes.set_xticks([0, 1], ["LSBG", "other"])
    axes.set_yticks([0, 1], ["LSBG", "other"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.set(xlabel=f"called, threshold {threshold:g}", ylabel="labelled")


def draw_heat_maps(rows: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]]) -> Figure:
    """Draw cutouts and, below each, the same with heat maps over it.

    Parameters
    ----------
    rows : mapping of str to (images, mapping of str to heat maps)
        For each title, at least one uint8 image (n, 64, 64, 3), and its heat maps (n, 16, 16) by
        their names, the same for all titles.
    """
    columns = max(len(images) for images, _ in rows.values())
    kinds = 1 + max(len(maps) for _, maps in rows.values())
    width, height = 1.1 * columns + 0.3, (1.2 * kinds + 0.2) * len(rows)
    with drawing("light", width, height) as (figure, _):
        panels = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
        for panel, (title, (images, maps)) in zip(panels, rows.items(), strict=True):
            panel.suptitle(title, fontsize=10)
            grid = panel.subplots(kinds, columns, squeeze=False)
            for axes in grid.flat:
                axes.set_axis_off()
            for column, image in enumerate(images):
                for axes in grid[:, column]:
                    axes.imshow(image, extent=(0, 64, 64, 0))
            for row, (name, heat) in enumerate(maps.items(), 1):
                _name_row(grid[row, 0], name)
                for axes, values in zip(grid[row], heat, strict=False):
                    _lay_heat_map(axes, values, max(float(heat.max()), 1e-6))
    return figure


def _lay_heat_map(axes, values, highest: float):
    """Draw a heat map over a picture."""
    axes.imshow(
        values,
        cmap="magma",
        alpha=0.55,
        extent=(0, 64, 64, 0),
        interpolation="bilinear",
        vmin=0,
        vmax=highest,
    )


def _name_row(axes, name: str):
    """Write a name at the left of a row of pictures."""
    axes.text(
        -0.06, 0.5, name, rotation=90, ha="right", va="center", fontsize=7, transform=axes.transAxes
    )


def draw_study(
    scores: Mapping[str, Mapping[str, tuple[float, float, float]]],
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Figure:
    """Draw accuracy and area under the ROC curve of several trainings, and the curves.

    Parameters
    ----------
    scores : mapping of str to mapping
        For each training ``accuracy`` and ``auc``: value, and the ends of its interval.
    curves : mapping of str to (labels, probabilities)
        Arrays of shape (N,); may be empty.

    Returns
    -------
    matplotlib.figure.Figure
    """
    places = np.arange(len(scores))[::-1]
    size = 12 if curves else 8, 1.6 + max(0.4 * len(scores), 2.2)
    with drawing("light", *size) as (figure, theme):
        axes = figure.subplots(1, 3 if curves else 2)
        for panel, name in zip(axes[:2], ("accuracy", "auc"), strict=True):
            value, low, high = np.array([values[name] for values in scores.values()]).T
            panel.errorbar(
                value, places, xerr=(value - low, high - value), fmt="o", color=theme.lsbg
            )
            panel.set(xlabel=TITLES.get(name, name), ylim=(-0.6, places[0] + 0.6))
            panel.set_yticks(places, list(scores) if name == "accuracy" else [""] * len(scores))
            panel.grid(axis="x", color="0.9")
        if curves:
            _draw_roc_curves(axes[2], curves, theme)
    return figure


def _draw_roc_curves(axes, curves, theme: Theme):
    """Draw a curve for each training, from black to light grey and with lines that differ."""
    prepare_roc_axes(axes, theme)
    styles = ("-", "--", "-.", ":")
    for number, (name, judged) in enumerate(curves.items()):
        shade = 0.75 * number / max(len(curves) - 1, 1)
        draw_roc(axes, *judged, color=str(shade), linestyle=styles[number % 4], label=name)
    axes.legend(loc="lower right")
