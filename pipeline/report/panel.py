"""One picture of a run: the best and the worst candidates, and the accuracy where it is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.training.figure_style import THEMES
from lsbg_classifier.training.score_axes import (
    class_style,
    draw_histogram,
    draw_roc,
    mark_threshold,
    prepare_roc_axes,
)
from pipeline.report.accuracy_figures import known_labels
from pipeline.report.candidates import Candidates

_THEME = THEMES["light"]

_WIDTH, _MARGIN, _GUTTER = 11.0, 0.3, 0.35
_TITLE, _HEADING, _CAPTION, _GAP, _PLOTS, _TICKS = 0.6, 0.28, 0.17, 0.07, 2.1, 0.45
_PANEL = (_WIDTH - 2 * _MARGIN - _GUTTER) / 2
"""Sizes on the page, in inches."""

Pictures = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From rows (N,) to cutouts, uint8 (N, 64, 64, 3), and which of them there are, bool (N,)."""


@dataclass(frozen=True)
class _Scored:
    """The candidates with a probability, and how to get their cutouts."""

    rows: np.ndarray
    probability: np.ndarray
    label: np.ndarray | None
    pictures: Pictures


class _Page:
    """A figure whose parts are placed in inches from its left upper corner."""

    def __init__(self, height: float):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.height = height
        self.figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasAgg(self.figure)

    def point(self, left: float, top: float) -> tuple[float, float]:
        """Convert to the fractions that matplotlib takes."""
        return left / _WIDTH, 1 - top / self.height

    def axes(self, left: float, top: float, width: float, height: float):
        """Add axes."""
        x, y = self.point(left, top + height)
        return self.figure.add_axes((x, y, width / _WIDTH, height / self.height))


def draw_panel(
    candidates: Candidates,
    pictures: Pictures,
    *,
    name: str,
    field: str = "",
    count: int = 32,
    threshold: float = 0.5,
):
    """Draw the candidates of the highest and of the lowest probability, and how all are spread.

    Parameters
    ----------
    candidates : Candidates
        Where their labels are known, cutouts get frames in the colour of their class, and the ROC
        curve is drawn; labels other than 0 and 1 are unknown.
    pictures : callable
        Gives the cutouts of rows; see `Pictures`.
    name : str
        Of the catalog, for the title.
    field : str
        What the cutouts show, for the title.
    count : int
        Cutouts of each kind, at most; no candidate is drawn twice.
    threshold : float
        Called an LSBG above this.

    Returns
    -------
    matplotlib.figure.Figure
        11 inches wide.
    """
    rows = candidates.scored
    label = None if candidates.label is None else known_labels(candidates)[rows]
    scored = _Scored(rows, candidates.probability[rows], label, pictures)
    order = np.argsort(-scored.probability, kind="stable")
    best = order[: min(count, -(-len(order) // 2))]
    worst = order[::-1][: min(count, len(order) // 2)]
    per_row = int(np.clip(np.ceil(np.sqrt(2 * len(best))), 3, 12))
    panel = -(-len(best) // per_row) * ((_PANEL + _GAP) / per_row + _CAPTION)
    page = _Page(_TITLE + _HEADING + panel + _PLOTS + 4 * _MARGIN)
    _title(page, scored, f"{_shortened(name)}: {len(candidates.probability)} candidates", field)
    left = _MARGIN
    for title, chosen in (("Highest probability", best), ("Lowest probability", worst)):
        axes = page.axes(left, _TITLE + _HEADING, _PANEL, panel)
        axes.set(xlim=(0, _PANEL), ylim=(panel, 0))
        _cutouts(axes, title, scored, chosen, per_row)
        left += _PANEL + _GUTTER
    _plots(page, scored, _TITLE + _HEADING + panel + 2 * _MARGIN, threshold)
    return page.figure


def _plots(page: _Page, scored: _Scored, top: float, threshold: float):
    """Draw the distribution and, where both classes are known, the ROC curve."""
    width = _WIDTH - 2 * _MARGIN - _TICKS
    if scored.label is not None and {0, 1} <= set(scored.label):
        width -= _PLOTS + 2 * _TICKS
        axes = page.axes(_WIDTH - _MARGIN - _PLOTS, top, _PLOTS, _PLOTS)
        _roc(axes, scored.label, scored.probability, threshold)
    _distribution(page.axes(_MARGIN + _TICKS, top, width, _PLOTS), scored, threshold)


def _shortened(name: str) -> str:
    name = name.encode("utf-8", "replace").decode()
    return name if len(name) <= 60 else f"{name[:30]}...{name[-27:]}"


def _title(page: _Page, scored: _Scored, heading: str, field: str):
    """Say what is shown, and with labels what the colours mean."""
    subtitle = "; ".join(part for part in (f"{len(scored.rows)} with a probability", field) if part)
    for top, size, line in ((0.17, 12, heading), (0.41, 9, subtitle)):
        page.figure.text(*page.point(_MARGIN, top), line, fontsize=size, va="top", parse_math=False)
    if scored.label is not None:
        page.figure.legend(
            handles=[_patch(scored.label, 1), _patch(scored.label, 0)],
            loc="upper right",
            bbox_to_anchor=page.point(_WIDTH - _MARGIN, 0.12),
            borderaxespad=0,
            ncols=2,
            frameon=False,
        )


def _patch(labels: np.ndarray, value: int):
    from matplotlib.patches import Patch

    name = f"{'LSBG' if value else 'other'} ({int((labels == value).sum())})"
    return Patch(**class_style(value, _THEME), label=name)


def _cutouts(axes, title, scored: _Scored, chosen, per_row: int):
    """Draw cutouts with their probabilities in rows, on axes in inches."""
    from matplotlib.patches import Rectangle

    axes.set_axis_off()
    if not len(chosen):
        return
    axes.set_title(title, fontsize=11, loc="left", pad=3)
    pitch = (_PANEL + _GAP) / per_row
    side = pitch - _GAP
    images, have_image = scored.pictures(scored.rows[chosen])
    for number, (which, image, has_image) in enumerate(
        zip(chosen, images, have_image, strict=True)
    ):
        row, column = divmod(number, per_row)
        x, y = column * pitch, row * (pitch + _CAPTION) + _CAPTION
        if has_image:
            axes.imshow(image, extent=(x, x + side, y + side, y), aspect="auto")
        else:
            axes.text(x + side / 2, y + side / 2, "no image", fontsize=6, ha="center", va="center")
        colour, line = "0.6", "-"
        if scored.label is not None and scored.label[which] in (0, 1):
            colour, line = ((_THEME.other, "--"), (_THEME.lsbg, "-"))[scored.label[which]]
        frame = Rectangle((x, y), side, side, fill=False, edgecolor=colour, linestyle=line)
        frame.set_linewidth(1.8)
        axes.add_patch(frame).set_clip_on(False)
        axes.text(x, y - 0.03, f"{scored.probability[which]:.3f}", fontsize=7, va="bottom")


def _distribution(axes, scored: _Scored, threshold: float):
    labels = np.full(len(scored.rows), -1) if scored.label is None else scored.label
    draw_histogram(axes, scored.probability, labels, _THEME)
    mark_threshold(axes, threshold, _THEME, size=9)
    _small(axes)


def _roc(axes, labels: np.ndarray, probabilities: np.ndarray, threshold: float):
    """Draw the ROC curve, and the point on it that the threshold makes."""
    known = np.isin(labels, (0, 1))
    label, probability = labels[known], probabilities[known]
    scores = judge(label, probability, threshold)
    others = probability[label == 0]
    prepare_roc_axes(axes, _THEME)
    draw_roc(axes, label, probability, color=_THEME.ink, linewidth=1.6)
    axes.plot(np.mean(others > threshold), scores.completeness, "o", color=_THEME.ink)
    axes.set_title(f"area {scores.auc:.3f}; dot: threshold {threshold:g}", fontsize=9, pad=4)
    ticks = np.linspace(0, 1, 6)
    axes.set(xticks=ticks, yticks=ticks)
    _small(axes)


def _small(axes):
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)
