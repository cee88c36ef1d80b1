"""Figures of a completeness, for papers and for the report."""

import numpy as np
from astropy.stats import binom_conf_interval
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lsbg_classifier.completeness.measure import Completeness
from lsbg_classifier.completeness.saved import SavedCompleteness
from lsbg_classifier.training.figure_style import drawing

_SEQUENCE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that the colour-blind tell apart (Okabe & Ito 2008)."""

_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_FEW = 5
"""Mocks below which a cell's number is grey."""


def draw_map(measured: Completeness | SavedCompleteness, theme: str = "light") -> Figure:
    """Draw the completeness over mean surface brightness and effective radius.

    Each cell holds the fraction that was recovered, in percent, and the number of mocks below;
    lines are the smooth model's 50% (solid) and 90% (dashed).

    Parameters
    ----------
    measured : Completeness or SavedCompleteness
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such theme.
    """
    rows, columns = measured.map.mocks.shape
    with drawing(theme, 2.0 + 0.72 * columns, 1.6 + 0.62 * rows) as (figure, _):
        _fill_map(figure, measured)
    return figure


def _fill_map(figure: Figure, measured: Completeness | SavedCompleteness):
    cells = measured.map
    fraction = cells.steps["above"][1]
    rows, columns = fraction.shape
    axes = figure.add_subplot()
    image = axes.pcolormesh(
        cells.brightness_edges,
        np.arange(rows + 1),
        np.ma.masked_invalid(fraction),
        cmap="cividis",
        vmin=0,
        vmax=1,
        edgecolor="white",
        linewidth=0.8,
    )
    for row in range(rows):
        for column in range(columns):
            _write_cell(axes, cells, row, column)
    _draw_model(axes, measured)
    band = measured.settings.band
    axes.set(
        xlabel=rf"mean surface brightness $\langle\mu_{{\mathrm{{eff}},{band}}}\rangle$"
        r" [mag arcsec$^{-2}$]",
        ylabel=r"effective radius $r_{\mathrm{eff}}$ [arcsec]",
    )
    axes.set_xticks(cells.brightness_edges, [f"{edge:g}" for edge in cells.brightness_edges])
    axes.set_yticks(np.arange(rows + 1), [f"{edge:g}" for edge in cells.radius_edges])
    axes.tick_params(direction="out")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(f"completeness (probability > {measured.settings.threshold:g})")


def _write_cell(axes, cells, row, column):
    mocks = int(cells.mocks[row, column])
    if not mocks:
        return
    _, fraction, low, high = (part[row, column] for part in cells.steps["above"])
    colour = "white" if fraction < 0.55 else "black"
    middle = (cells.brightness_edges[column] + cells.brightness_edges[column + 1]) / 2
    spread = rf"$^{{+{100 * (high - fraction):.0f}}}_{{-{100 * (fraction - low):.0f}}}$"
    style = {
        "ha": "center",
        "va": "center",
        "color": colour,
        "alpha": 1.0 if mocks >= _FEW else 0.55,
        "path_effects": _halo(colormaps["cividis"](fraction)),
    }
    axes.text(middle, row + 0.62, f"{100 * fraction:.0f}{spread}", **style)
    axes.text(middle, row + 0.22, f"{mocks}", fontsize=7, **style)


_LEVELS = {0.5: "-", 0.9: "--"}
"""Completeness of the model that lines are drawn for, and their style."""


def _draw_model(axes, measured):
    """Draw the smooth model's contours; the axis of the radius has bins of equal height."""
    if measured.model is None:
        return
    edges = measured.map.radius_edges
    heights = np.linspace(0, len(edges) - 1, 160)
    radius = np.interp(heights, np.arange(len(edges)), edges)
    limits = measured.map.brightness_edges
    brightness = np.linspace(limits[0], limits[-1], 200)
    grid = measured.model.predict(brightness[None, :], radius[:, None])
    if np.isfinite(grid).any() and np.nanmin(grid) < 0.9:
        style = {"colors": "white", "linestyles": list(_LEVELS.values()), "zorder": 1.5}
        lines = axes.contour(brightness, heights, grid, list(_LEVELS), **style)
        lines.set_path_effects(_halo((0, 0, 0, 0.7)))
        _name_levels(
            axes, [level for level in _LEVELS if np.nanmin(grid) < level < np.nanmax(grid)]
        )


def _name_levels(axes, levels):
    """Say above the map which line is which completeness of the model."""
    if not levels:
        return
    lines = [
        Line2D([], [], color="white", linestyle=_LEVELS[level], path_effects=_halo((0, 0, 0, 0.7)))
        for level in levels
    ]
    names = [f"model: {100 * level:.0f}%" for level in levels]
    axes.legend(lines, names, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)


def _halo(colour):
    return [withStroke(linewidth=2.6, foreground=colour)]


def draw_steps(measured: Completeness) -> Figure:
    """Draw how the mocks fade: the steps, the sizes, the thresholds, and the model's calibration.

    Parameters
    ----------
    measured : Completeness
    """
    with drawing("light", 9.6, 7.0) as (figure, _):
        panels = figure.subplots(2, 2)
        _draw_by_step(panels[0, 0], measured)
        _draw_by_size(panels[0, 1], measured)
        _draw_thresholds(panels[1, 0], measured)
        _draw_calibration(panels[1, 1], measured)
    return figure


def _draw_by_step(axes, measured):
    """All sizes together, against surface brightness, after each step."""
    cells = measured.map
    middle = (cells.brightness_edges[1:] + cells.brightness_edges[:-1]) / 2
    mocks = cells.mocks.sum(axis=0)
    there = mocks > 0
    labels = {
        "detected": "detected",
        "selected": "and selected",
        "above": f"and above {measured.settings.threshold:g}",
    }
    for number, (name, label) in enumerate(labels.items()):
        recovered = cells.steps[name][0].sum(axis=0)[there]
        fraction = recovered / mocks[there]
        low, high = binom_conf_interval(
            recovered, mocks[there], measured.settings.level, interval="wilson"
        )
        axes.errorbar(
            middle[there] + 0.02 * (number - 1),
            fraction,
            np.abs([fraction - low, high - fraction]),
            color=_SEQUENCE[number],
            marker=_MARKS[number],
            ms=4,
            lw=1.2,
            capsize=2,
            label=label,
        )
    axes.set(xlabel=_brightness_label(measured), ylabel="fraction of mocks", ylim=(-0.03, 1.03))
    axes.legend(frameon=False, fontsize=8)


def _draw_by_size(axes, measured):
    cells = measured.map
    middle = (cells.brightness_edges[1:] + cells.brightness_edges[:-1]) / 2
    _, fraction, low, high = cells.steps["above"]
    for row in range(len(fraction)):
        there = cells.mocks[row] >= _FEW
        if not there.any():
            continue
        shift = 0.02 * (row - len(fraction) / 2)
        errors = np.abs([fraction[row] - low[row], high[row] - fraction[row]])[:, there]
        axes.errorbar(
            middle[there] + shift,
            fraction[row, there],
            errors,
            color=_SEQUENCE[row % 7],
            marker=_MARKS[row % 7],
            ms=4,
            lw=1.2,
            capsize=2,
            label=f'{cells.radius_edges[row]:g}" to {cells.radius_edges[row + 1]:g}"',
        )
    axes.set(xlabel=_brightness_label(measured), ylabel="completeness", ylim=(-0.03, 1.03))
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8, title=r"$r_{\mathrm{eff}}$", title_fontsize=8)


def _draw_thresholds(axes, measured):
    rows = measured.thresholds
    threshold = [row["threshold"] for row in rows]
    axes.plot(threshold, [row["fraction"] for row in rows], color=_SEQUENCE[0], label="mocks")
    axes.fill_between(
        threshold,
        [row["low"] for row in rows],
        [row["high"] for row in rows],
        color=_SEQUENCE[0],
        alpha=0.2,
        lw=0,
    )
    axes.axvline(measured.settings.threshold, color="0.6", lw=0.8, ls=":")
    axes.set(xlabel="threshold", ylabel="completeness of all mocks", ylim=(0, 1))
    other = axes.twinx()
    others = [row["others_above"] for row in rows]
    other.plot(threshold, others, color=_SEQUENCE[1], ls="--", label="other candidates")
    other.set_ylabel("other candidates above")
    other.set_ylim(bottom=0)
    lines = [*axes.get_lines()[:1], *other.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], frameon=False, fontsize=8)


def _draw_calibration(axes, measured):
    axes.plot([0, 1], [0, 1], color="0.6", lw=0.8, ls=":")
    if measured.calibration:
        predicted = np.array([row["predicted"] for row in measured.calibration])
        recovered = np.array([row["recovered"] for row in measured.calibration])
        mocks = np.array([row["mocks"] for row in measured.calibration])
        errors = np.sqrt(np.maximum(predicted * (1 - predicted), 1e-6) / mocks)
        axes.errorbar(predicted, recovered, errors, color=_SEQUENCE[2], marker="o", ms=4, lw=1.2)
    else:
        axes.text(0.5, 0.5, "too few mocks for a model", ha="center", va="center")
    axes.set(
        xlabel="completeness of the model (cross-validated)",
        ylabel="fraction recovered",
        xlim=(-0.02, 1.02),
        ylim=(-0.03, 1.03),
    )


def _brightness_label(measured) -> str:
    band = measured.settings.band
    return (
        rf"$\langle\mu_{{\mathrm{{eff}},{band}}}\rangle$"
        r" [mag arcsec$^{-2}$]"
    )
