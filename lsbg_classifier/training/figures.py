"""Figures of trainings and evaluations, readable in grey and by the colour-blind."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

TRAINING, VALIDATION = "#0072b2", "#d55e00"


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, that needs no display."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_history(epochs: Sequence[dict[str, float]], path: Path):
    """Draw loss and accuracy against the epoch.

    Parameters
    ----------
    epochs : sequence of dict
        With ``epoch``, ``loss``, ``accuracy`` and, where there was a validation set,
        ``val_loss`` and ``val_accuracy``.
    path : Path
        PNG to write.
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
    figure.savefig(path)
