"""Figures of trainings and evaluations, readable in grey and by the colour-blind."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lsbg_classifier.training.evaluation import area_under_roc, reliability, roc_curve
from lsbg_classifier.training.figure_style import Theme, drawing
from lsbg_classifier.training.intervals import TITLES, wilson
from lsbg_classifier.training.score_axes import draw_histogram, draw_roc, prepare_roc_axes

_RESAMPLINGS = 200


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


def draw_evaluation(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw the ROC curve with its 95% band, the probabilities by class, and the reliability.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `evaluation.judge`, with both classes present.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = np.asarray(labels).astype(bool)
    with drawing("light", 12, 3.8) as (figure, theme):
        roc, distribution, calibration = figure.subplots(1, 3)
        _draw_roc_with_band(roc, labels, probabilities, theme)
        draw_histogram(distribution, probabilities, labels.astype(int), theme)
        figure.legend(loc="outside upper right", ncols=2)
        _draw_reliability(calibration, labels, probabilities, theme)
    return figure


def _draw_roc_with_band(axes, labels, probabilities, theme: Theme):
    grid = np.linspace(0, 1, 201)
    rng = np.random.default_rng(0)
    curves: list[np.ndarray] = []
    while len(curves) < _RESAMPLINGS:
        rows = rng.integers(0, len(labels), len(labels))
        if len(np.unique(labels[rows])) == 2:
            curves.append(np.interp(grid, *roc_curve(labels[rows], probabilities[rows])))
    low, high = np.percentile(curves, [2.5, 97.5], axis=0)
    prepare_roc_axes(axes, theme)
    axes.fill_between(grid, low, high, color=theme.lsbg, alpha=0.2, linewidth=0)
    draw_roc(axes, labels, probabilities, color=theme.lsbg, linewidth=1.8)
    area = area_under_roc(labels, probabilities)
    axes.text(0.95, 0.06, f"area {area:.3f}", ha="right", transform=axes.transAxes)


def _draw_reliability(axes, labels, probabilities, theme: Theme):
    """Draw how often probabilities come true, with Wilson's 95% intervals."""
    mean, fraction, count = reliability(labels, probabilities)
    ends = np.array([wilson(*pair) for pair in zip(fraction * count, count, strict=True)]).T
    reach = np.clip([fraction - ends[0], ends[1] - fraction], 0, None)
    axes.plot([0, 1], [0, 1], color=theme.faint, linewidth=0.8, linestyle=":")
    axes.errorbar(mean, fraction, yerr=reach, fmt="o-", color=theme.lsbg, linewidth=1.2)
    axes.set(xlabel="mean probability, ten equal groups", ylabel="fraction of LSBGs")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


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
