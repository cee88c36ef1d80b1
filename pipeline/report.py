"""One picture of a run: the best and the worst candidates, and the accuracy where it is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import InputError, check_output, find_lsbg_columns, open_catalog
from catalogs.output import written_whole
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.training.evaluation import judge, roc_curve
from pipeline.plan import BLOCK

_PER_ROW = 8
_LSBG, _OTHER = "#0072b2", "#d55e00"
"""Colours that the colour-blind tell apart (Okabe & Ito 2008)."""


@dataclass(frozen=True)
class _Scored:
    """The candidates with a probability: rows, positions (degrees), probabilities and labels."""

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
        Cutouts of each kind.
    threshold : float
        Called an LSBG above this.
    overwrite : bool
        Replace a figure that exists.
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
    if figure.suffix not in (".png", ".pdf"):
        raise InputError(f"{figure}: name a .png or .pdf file")
    scored = _read(Path(annotated), truth)
    source = open_source(cutouts, **source_options)
    with written_whole(figure) as partial:
        _draw(scored, source, count, threshold).savefig(partial, format=figure.suffix[1:])
    lines = [f"{len(scored.rows)} of {scored.row_count} candidates have a probability"]
    if scored.label is not None:
        lines += _accuracy(scored, threshold)
    return [*lines, f"wrote {figure}"]


def _read(annotated: Path, truth: Path | None) -> _Scored:
    catalog = open_catalog(annotated)
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
    return _Scored(rows, positions[rows], probability[rows], label, catalog.row_count)


def _labels(truth: Path, row_count: int) -> np.ndarray:
    """Read the column LABEL of a FITS table whose rows are those of the catalog."""
    from astropy.table import Table

    try:
        labels = np.asarray(Table.read(truth)["LABEL"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{truth}: not a table with a column LABEL ({error})") from error
    if len(labels) != row_count:
        raise InputError(f"{truth}: {len(labels)} rows, but the catalog has {row_count}")
    return labels


def _accuracy(scored: _Scored, threshold: float) -> list[str]:
    scores = judge(scored.label, scored.probability, threshold)
    return [
        f"against the truth, above {threshold:g}: accuracy {scores.accuracy:.3f}, "
        f"completeness {scores.completeness:.3f}, purity {scores.purity:.3f}; "
        f"area under the ROC curve {scores.auc:.3f}"
    ]


def _draw(scored: _Scored, source: CutoutSource, count: int, threshold: float):
    """Lay out two panels of cutouts above the distribution and, with labels, the ROC curve."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    order = np.argsort(-scored.probability, kind="stable")
    count = min(count, len(order))
    rows = -(-count // _PER_ROW)
    figure = Figure(figsize=(14, 3.2 + 0.86 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=[0.86 * rows + 0.4, 2.8])
    best, worst = upper.subfigures(1, 2)
    _panel(best, "Highest probability", scored, source, order[:count])
    _panel(worst, "Lowest probability", scored, source, order[::-1][:count])
    both_classes = scored.label is not None and len(np.unique(scored.label)) == 2
    axes = lower.subplots(1, 1 + both_classes, squeeze=False)[0]
    _distribution(axes[0], scored, threshold)
    if both_classes:
        _roc(axes[1], scored)
    return figure


def _panel(panel, title, scored: _Scored, source, chosen):
    panel.suptitle(title, fontsize=11)
    images, _ = source.fetch(scored.positions[chosen])
    grid = panel.subplots(-(-len(chosen) // _PER_ROW), _PER_ROW, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, which in zip(grid.flat, images, chosen, strict=False):
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.imshow(image)
        axes.set_title(f"{scored.probability[which]:.3f}", fontsize=7, pad=2)
        label = None if scored.label is None else scored.label[which]
        for edge in axes.spines.values():
            edge.set(color="0.6" if label is None else (_OTHER, _LSBG)[int(label)], linewidth=2)


def _distribution(axes, scored: _Scored, threshold: float):
    bins = np.linspace(0, 1, 41)
    if scored.label is None:
        axes.hist(scored.probability, bins, color="0.4")
    else:
        for value, name, colour, style in ((1, "LSBG", _LSBG, "-"), (0, "other", _OTHER, "--")):
            axes.hist(
                scored.probability[scored.label == value],
                bins,
                histtype="step",
                linewidth=1.8,
                linestyle=style,
                color=colour,
                label=name,
            )
        axes.legend(loc="upper center", frameon=False, title="frames and lines")
    axes.axvline(threshold, color="0.3", linewidth=0.8, linestyle=":")
    axes.set(xlabel="probability of LSBG", ylabel="candidates", yscale="log", xlim=(0, 1))


def _roc(axes, scored: _Scored):
    false, true = roc_curve(scored.label, scored.probability)
    scores = judge(scored.label, scored.probability)
    axes.plot(false, true, color=_LSBG, linewidth=1.8)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="fraction of others called LSBG",
        ylabel="completeness",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    axes.text(0.95, 0.08, f"area {scores.auc:.3f}", ha="right", transform=axes.transAxes)
