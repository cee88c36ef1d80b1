"""One picture of a run: the best and the worst candidates, and the accuracy where it is known."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from catalogs import InputError, check_output, find_lsbg_columns, open_catalog
from catalogs.flags import NOT_SCORED
from catalogs.output import written_whole
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.training.evaluation import judge, roc_curve
from pipeline.plan import BLOCK

_LSBG, _OTHER = "#0072b2", "#d55e00"
"""Colours that the colour-blind tell apart (Okabe & Ito 2008)."""

_WIDTH, _MARGIN, _GUTTER = 11.0, 0.3, 0.35
_TITLE, _HEADING, _CAPTION, _GAP, _PLOTS, _TICKS = 0.6, 0.28, 0.17, 0.07, 2.1, 0.45
_PANEL = (_WIDTH - 2 * _MARGIN - _GUTTER) / 2
"""Sizes on the page, in inches."""

_RESOLUTION = 160
"""Dots per inch."""


@dataclass(frozen=True)
class _Scored:
    """The candidates with a probability: rows, positions (degrees), probabilities and labels."""

    catalog: Path
    rows: np.ndarray
    positions: np.ndarray
    probability: np.ndarray
    label: np.ndarray | None
    row_count: int


def write_report(
    annotated: Path,
    figure: Path,
    *,
    cutouts: str,
    truth: Path | None = None,
    count: int = 32,
    threshold: float = 0.5,
    overwrite: bool = False,
    catalog_options: Mapping[str, str] = MappingProxyType({}),
    **source_options,
) -> list[str]:
    """Draw the candidates of the highest and of the lowest probability.

    Parameters
    ----------
    annotated : path
        A catalog that `annotate` wrote.
    figure : path
        The picture, PNG or PDF by its name.
    cutouts : str
        Where its images come from; see `lsbg_classifier.open_source`.
    truth : path, optional
        A table of the same rows with a column ``LABEL``: 1 = LSBG, 0 = not. Cutouts get frames in
        the colour of their class, and the ROC curve is drawn.
    count : int
        Cutouts of each kind, at most; no candidate is drawn twice.
    threshold : float
        Called an LSBG above this.
    overwrite : bool
        Replace a figure that exists.
    catalog_options : mapping
        ``table``, ``ra``, ``dec`` or ``position_unit``; see `catalogs.open_catalog`.
    source_options
        Options of the cutout source, such as ``url``.

    Returns
    -------
    list of str
        What it found, in lines for a terminal.

    Raises
    ------
    InputError
        If the catalog has no probabilities, the truth has other rows, or the figure exists.
    """
    figure = Path(figure)
    check_output(annotated, figure, overwrite)
    kind = figure.suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf"):
        raise InputError(f"{figure}: name a .png or .pdf file")
    if count < 1:
        raise InputError(f"at least one cutout of each kind must be drawn, not {count}")
    scored = _read(Path(annotated), truth, catalog_options)
    source = open_source(cutouts, **source_options)
    with written_whole(figure) as partial:
        _draw(scored, source, count, threshold).savefig(partial, format=kind, dpi=_RESOLUTION)
    lines = [f"{len(scored.rows)} of {scored.row_count} candidates have a probability"]
    if scored.label is not None:
        lines += _accuracy(scored, threshold)
    return [*lines, f"wrote {figure}"]


def _read(annotated: Path, truth: Path | None, catalog_options) -> _Scored:
    catalog = open_catalog(annotated, **catalog_options)
    name, _ = find_lsbg_columns(catalog.column_names, annotated)
    blocks = [
        (start, min(start + BLOCK, catalog.row_count))
        for start in range(0, catalog.row_count, BLOCK)
    ]
    empty = np.empty(0)
    probability = np.concatenate([empty, *(catalog.read_column(name, *b) for b in blocks)])
    positions = np.concatenate(
        [np.empty((0, 2)), *(catalog.read_positions(*block) for block in blocks)]
    )
    rows = np.flatnonzero(np.isfinite(probability))
    if not len(rows):
        raise InputError(f"{annotated}: no candidate has a probability; there is nothing to draw")
    label = None if truth is None else _labels(Path(truth), catalog.row_count)[rows]
    return _Scored(
        Path(annotated), rows, positions[rows], probability[rows], label, catalog.row_count
    )


def _labels(truth: Path, row_count: int) -> np.ndarray:
    """Read the column LABEL of a FITS table whose rows are those of the catalog; int, 0 or 1."""
    from astropy.table import Table

    try:
        with warnings.catch_warnings(action="ignore"):
            labels = np.ma.filled(Table.read(truth, format="fits")["LABEL"], -1)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{truth}: not a table with a column LABEL ({reason})") from error
    if len(labels) != row_count:
        raise InputError(f"{truth}: {len(labels)} rows, but the catalog has {row_count}")
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise InputError(f"{truth}: LABEL must be 1 (LSBG) or 0 (not) in every row")
    return labels.astype(int)


def _accuracy(scored: _Scored, threshold: float) -> list[str]:
    scores = judge(scored.label, scored.probability, threshold)
    return [
        f"against the truth, above {threshold:g}: accuracy {scores.accuracy:.3f}, "
        f"completeness {scores.completeness:.3f}, purity {scores.purity:.3f}; "
        f"area under the ROC curve {scores.auc:.3f}"
    ]


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


def _draw(scored: _Scored, source: CutoutSource, count: int, threshold: float):
    """Lay out two panels of cutouts above the distribution and, with labels, the ROC curve."""
    order = np.argsort(-scored.probability, kind="stable")
    best = order[: min(count, -(-len(order) // 2))]
    worst = order[::-1][: min(count, len(order) // 2)]
    per_row = int(np.clip(np.ceil(np.sqrt(2 * len(best))), 3, 12))
    pitch = (_PANEL + _GAP) / per_row
    panel = -(-len(best) // per_row) * (pitch + _CAPTION)
    page = _Page(_TITLE + _HEADING + panel + _PLOTS + 4 * _MARGIN)
    _title(page, scored, source)
    left = _MARGIN
    for title, chosen in (("Highest probability", best), ("Lowest probability", worst)):
        axes = page.axes(left, _TITLE + _HEADING, _PANEL, panel)
        axes.set(xlim=(0, _PANEL), ylim=(panel, 0))
        _cutouts(axes, title, scored, source, chosen, per_row)
        left += _PANEL + _GUTTER
    top = _TITLE + _HEADING + panel + 2 * _MARGIN
    width = _WIDTH - 2 * _MARGIN - _TICKS
    if scored.label is not None and len(np.unique(scored.label)) == 2:
        width -= _PLOTS + 2 * _TICKS
        _roc(page.axes(_WIDTH - _MARGIN - _PLOTS, top, _PLOTS, _PLOTS), scored, threshold)
    _distribution(page.axes(_MARGIN + _TICKS, top, width, _PLOTS), scored, threshold)
    return page.figure


def _title(page: _Page, scored: _Scored, source: CutoutSource):
    """Say what is shown, and with labels what the colours mean."""
    name = scored.catalog.name.encode("utf-8", "replace").decode()
    name = name if len(name) <= 60 else f"{name[:30]}...{name[-27:]}"
    imaging = source.imaging
    field = f'cutouts of {imaging.pixel_scale * CUTOUT_SIZE:.1f}" in {"".join(imaging.bands)}'
    for top, size, line in (
        (0.17, 12, f"{name}: {scored.row_count} candidates"),
        (0.41, 9, f"{len(scored.rows)} with a probability; {field}, north up, east left"),
    ):
        page.figure.text(*page.point(_MARGIN, top), line, fontsize=size, va="top", parse_math=False)
    if scored.label is not None:
        page.figure.legend(
            handles=[_patch(scored, 1), _patch(scored, 0)],
            loc="upper right",
            bbox_to_anchor=page.point(_WIDTH - _MARGIN, 0.12),
            borderaxespad=0,
            ncols=2,
            frameon=False,
        )


def _patch(scored: _Scored, value: int):
    from matplotlib.patches import Patch

    name = f"{'LSBG' if value else 'other'} ({int((scored.label == value).sum())})"
    return Patch(**_look(value), label=name)


def _look(value: int) -> dict:
    """How the histogram and the legend show a class: LSBGs filled, the others not."""
    colour = _LSBG if value else _OTHER
    return {
        "edgecolor": colour,
        "facecolor": (colour, 0.25) if value else "none",
        "linewidth": 1.6,
    }


def _cutouts(axes, title, scored: _Scored, source: CutoutSource, chosen, per_row: int):
    """Draw cutouts with their probabilities in rows, on axes in inches."""
    from matplotlib.patches import Rectangle

    axes.set_axis_off()
    if not len(chosen):
        return
    axes.set_title(title, fontsize=11, loc="left", pad=3)
    pitch = (_PANEL + _GAP) / per_row
    side = pitch - _GAP
    images, flags = source.fetch(scored.positions[chosen])
    for number, (which, image, flag) in enumerate(zip(chosen, images, flags, strict=True)):
        row, column = divmod(number, per_row)
        x, y = column * pitch, row * (pitch + _CAPTION) + _CAPTION
        if flag & NOT_SCORED:
            axes.text(x + side / 2, y + side / 2, "no image", fontsize=6, ha="center", va="center")
        else:
            axes.imshow(image, extent=(x, x + side, y + side, y), aspect="auto")
        colour = "0.6" if scored.label is None else (_OTHER, _LSBG)[scored.label[which]]
        frame = Rectangle((x, y), side, side, fill=False, edgecolor=colour, linewidth=1.8)
        axes.add_patch(frame).set_clip_on(False)
        axes.text(x, y - 0.03, f"{scored.probability[which]:.3f}", fontsize=7, va="bottom")


def _distribution(axes, scored: _Scored, threshold: float):
    bins = np.linspace(0, 1, 41)
    if scored.label is None:
        axes.hist(scored.probability, bins, histtype="stepfilled", color="0.7", edgecolor="0.3")
    else:
        for value in (0, 1):
            chosen = scored.probability[scored.label == value]
            axes.hist(chosen, bins, histtype="stepfilled", **_look(value))
    axes.axvline(threshold, color="0.3", linewidth=0.8, linestyle=":")
    side = "left" if threshold < 0.1 else "right" if threshold > 0.9 else "center"
    axes.annotate(
        f"threshold {threshold:g}",
        (threshold, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha=side,
        fontsize=9,
    )
    axes.set(xlabel="probability of LSBG", ylabel="candidates", yscale="log", xlim=(0, 1))
    axes.set_ylim(0.7, max(axes.get_ylim()[1], 12))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter("")
    _small(axes)


def _roc(axes, scored: _Scored, threshold: float):
    """Draw the ROC curve, and the point on it that the threshold makes."""
    false, true = roc_curve(scored.label, scored.probability)
    scores = judge(scored.label, scored.probability, threshold)
    others = scored.probability[scored.label == 0]
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    axes.plot(false, true, color="0.15", linewidth=1.6)
    axes.plot(np.mean(others > threshold), scores.completeness, "o", color="0.15")
    axes.set_title(f"area {scores.auc:.3f}; dot: threshold {threshold:g}", fontsize=9, pad=4)
    ticks = np.linspace(0, 1, 6)
    axes.set(xlabel="fraction of others called LSBG", ylabel="completeness")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=ticks, yticks=ticks)
    _small(axes)


def _small(axes):
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)
