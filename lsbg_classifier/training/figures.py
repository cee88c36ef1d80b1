"""Figures of trainings and evaluations, readable in grey and by the colour-blind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from catalogs.output import written_whole
from lsbg_classifier.training.evaluation import judge, reliability, roc_curve

LSBG, OTHER = TRAINING, VALIDATION = "#0072b2", "#d55e00"
"""Colours that the colour-blind tell apart (Okabe & Ito 2008)."""

_RESAMPLINGS = 200


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, that needs no display."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: Figure, path: Path, *, pdf: bool = False):
    """Write a figure as PNG and, for papers, as PDF beside it; each whole or not at all."""
    with written_whole(path) as partial:
        figure.savefig(partial, format="png")
    if pdf:
        with written_whole(path.with_suffix(".pdf")) as partial:
            with matplotlib.rc_context({"pdf.fonttype": 42}):  # text stays text
                figure.savefig(partial, format="pdf", metadata={"CreationDate": None})


def draw_history(epochs: Sequence[dict[str, float]]) -> Figure:
    """Draw loss and accuracy against the epoch.

    Parameters
    ----------
    epochs : sequence of dict
        With ``epoch``, ``loss``, ``accuracy`` and, where there was a validation set,
        ``val_loss`` and ``val_accuracy``.
    """
    figure = new_figure(9, 3.4)
    number = [epoch["epoch"] for epoch in epochs]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(number, [epoch[name] for epoch in epochs], color=TRAINING, label="training")
        if f"val_{name}" in epochs[0]:
            values = [epoch[f"val_{name}"] for epoch in epochs]
            axes.plot(number, values, color=VALIDATION, linestyle="--", label="validation")
        axes.set(xlabel="epoch", ylabel=name)
    axes.legend(frameon=False)
    return figure


def draw_evaluation(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw the ROC curve with its 95% band, the probabilities by class, and the reliability.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `evaluation.judge`, with both classes present.
    """
    labels = np.asarray(labels).astype(bool)
    figure = new_figure(12, 3.8)
    roc, distribution, calibration = figure.subplots(1, 3)
    _draw_roc(roc, labels, probabilities)
    bins = np.linspace(0, 1, 26)
    for value, name, colour, style in ((True, "LSBG", LSBG, "-"), (False, "other", OTHER, "--")):
        distribution.hist(
            probabilities[labels == value],
            bins,
            histtype="step",
            linewidth=1.8,
            linestyle=style,
            color=colour,
            label=name,
        )
    distribution.set(xlabel="probability of LSBG", ylabel="cutouts", yscale="log", xlim=(0, 1))
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    mean, fraction, _ = reliability(labels, probabilities)
    calibration.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    calibration.plot(mean, fraction, color=LSBG, marker="o", linewidth=1.2)
    calibration.set(
        xlabel="mean probability, ten equal groups",
        ylabel="fraction of LSBGs",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
    return figure


def _draw_roc(axes, labels, probabilities):
    grid = np.linspace(0, 1, 201)
    rng = np.random.default_rng(0)
    curves = []
    while len(curves) < _RESAMPLINGS:
        rows = rng.integers(0, len(labels), len(labels))
        if len(np.unique(labels[rows])) == 2:
            curves.append(np.interp(grid, *roc_curve(labels[rows], probabilities[rows])))
    low, high = np.percentile(curves, [2.5, 97.5], axis=0)
    axes.fill_between(grid, low, high, color=LSBG, alpha=0.2, linewidth=0)
    axes.plot(*roc_curve(labels, probabilities), color=LSBG, linewidth=1.8)
    area = judge(labels, probabilities).auc
    axes.text(0.95, 0.06, f"area {area:.3f}", ha="right", transform=axes.transAxes)
    axes.set(
        xlabel="fraction of others called LSBG",
        ylabel="completeness",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )


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
    figure = new_figure(1.1 * columns + 0.3, (1.2 * kinds + 0.2) * len(rows))
    for panel, (title, (images, maps)) in zip(
        np.atleast_1d(figure.subfigures(len(rows), 1)), rows.items(), strict=True
    ):
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
                axes.imshow(
                    values,
                    cmap="magma",
                    alpha=0.55,
                    extent=(0, 64, 64, 0),
                    interpolation="bilinear",
                    vmin=0,
                    vmax=max(float(heat.max()), 1e-6),
                )
    return figure


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
    """
    figure = new_figure(12 if curves else 8, 1.6 + max(0.4 * len(scores), 2.2))
    axes = figure.subplots(1, 3 if curves else 2)
    places = np.arange(len(scores))[::-1]
    titles = {"accuracy": "accuracy", "auc": "area under the ROC curve"}
    for panel, (name, title) in zip(axes[:2], titles.items(), strict=True):
        value, low, high = np.array([found[name] for found in scores.values()]).T
        panel.errorbar(value, places, xerr=(value - low, high - value), fmt="o", color=LSBG)
        panel.set(xlabel=title, ylim=(-0.6, places[0] + 0.6))
        panel.set_yticks(places, list(scores) if name == "accuracy" else [""] * len(scores))
        panel.grid(axis="x", color="0.9")
    styles = ("-", "--", "-.", ":")
    for number, (name, judged) in enumerate(curves.items()):
        shade = 0.75 * number / max(len(curves) - 1, 1)
        axes[2].plot(
            *roc_curve(*judged), color=str(shade), linestyle=styles[number % 4], label=name
        )
    if curves:
        axes[2].set(
            xlabel="fraction of others called LSBG",
            ylabel="completeness",
            xlim=(0, 1),
            ylim=(0, 1.01),
        )
        axes[2].legend(frameon=False, loc="lower right", fontsize=8)
    return figure
