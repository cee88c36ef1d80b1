"""Candidates on the sky: right ascension to the left, areas true."""

import numpy as np
from matplotlib import patheffects
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from catalogs.sphere import middle_ra
from lsbg_classifier.training.figure_style import drawing
from pipeline.report.candidates import Candidates

_MANY = 3000
"""Candidates from which density is drawn instead of points."""

_WIDE = 50.0
"""Degrees across from which the whole sky is drawn, in Mollweide's projection."""

_CELLS = 45
"""Of the density, across the map."""


def sky_map(candidates: Candidates, *, threshold: float = 0.5, theme: str = "light") -> Figure:
    """Draw where the candidates are: points, or where they are many their density.

    Up to 50 degrees across, degrees are drawn with the declination's own scale, so that angles
    and areas are right in the middle; beyond, Mollweide's equal-area projection shows all the sky.

    Parameters
    ----------
    candidates : Candidates
        At least one with a position.
    threshold : float
        Called an LSBG above this.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no candidate has a position.
    """
    placed = np.isfinite(candidates.positions).all(axis=1)
    if not placed.any():
        raise ValueError("no candidate has a position")
    ra, dec = candidates.positions[placed].T
    above = candidates.probability[placed] > threshold
    centre = middle_ra(ra)
    ra = centre + (ra - centre + 180) % 360 - 180
    wide = max(np.ptp(ra) * np.cos(np.radians(dec.mean())), np.ptp(dec)) > _WIDE
    many = len(ra) > _MANY
    shape = _shape(ra, dec, wide)
    titles = {f"all {len(ra):,} candidates": np.ones(len(ra), bool)}
    if many:
        titles[f"{np.count_nonzero(above):,} above {threshold:g}"] = above
    width = 7.2 if many or wide else 4.4
    height = (width / len(titles) - 0.9) * shape + (1.3 if many else 0.9)
    with drawing(theme, width, float(np.clip(height, 2.4, 7))) as (figure, look):
        kind = {"projection": "mollweide"} if wide else {}
        panels = np.atleast_1d(figure.subplots(1, len(titles), subplot_kw=kind))
        for axes, (title, chosen) in zip(panels, titles.items(), strict=True):
            frame: _WholeSky | _Field
            frame = _WholeSky(axes, centre, look) if wide else _Field(axes, ra, dec)
            if many:
                axes.set_title(title, fontsize=8)
                _density(figure, frame, ra[chosen], dec[chosen], look)
            else:
                _points(figure, frame, ra, dec, above, threshold, look)
    return figure


def _shape(ra, dec, wide: bool) -> float:
    """Return height over width of what is mapped."""
    if wide:
        return 0.5
    across = max(np.ptp(ra) * np.cos(np.radians(dec.mean())), 1e-3)
    return float(np.clip(np.ptp(dec) / across, 0.3, 2.0))


class _Field:
    """A part of the sky: degrees, stretched as at its middle declination."""

    def __init__(self, axes, ra: np.ndarray, dec: np.ndarray):
        self.axes = axes
        shrink = max(np.cos(np.radians((dec.min() + dec.max()) / 2)), 0.02)
        margin = max(0.04 * max(np.ptp(ra) * shrink, np.ptp(dec)), 1e-3)
        self._ra = ra.min() - margin / shrink, ra.max() + margin / shrink
        self._dec = dec.min() - margin, dec.max() + margin
        axes.set(xlim=self._ra[::-1], ylim=self._dec, aspect=1 / shrink)
        axes.set(xlabel="right ascension (deg)", ylabel="declination (deg)")
        axes.locator_params(axis="x", nbins=4)
        axes.locator_params(axis="y", nbins=6)
        axes.ticklabel_format(useOffset=False)
        places = max(0, -int(np.floor(np.log10(np.ptp(axes.get_xticks()[:2]) * 1.001))))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value % 360:.{places}f}")

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges of the cells of a density, degrees."""
        (left, right), (low, high) = self._ra, self._dec
        shrink = 1 / self.axes.get_aspect()
        side = max((right - left) * shrink, high - low) / _CELLS
        counts = (max(round((right - left) * shrink / side), 1), max(round((high - low) / side), 1))
        return np.linspace(left, right, counts[0] + 1), np.linspace(low, high, counts[1] + 1)

    def place(self, ra, dec):
        """Return what the axes take."""
        return ra, dec


class _WholeSky:
    """All the sky in Mollweide's projection, around a right ascension."""

    def __init__(self, axes, centre: float, look):
        self.axes, self._centre = axes, centre
        axes.grid(color="0.5", linewidth=0.4, alpha=0.6)
        meridians = np.arange(0, 360, 60)
        places = (centre - meridians + 180) % 360 - 180
        shown = (abs(places) < 160).nonzero()[0][np.argsort(places[abs(places) < 160])]
        labels = [f"{meridians[number]}°" for number in shown]
        axes.set_xticks(np.radians(places[shown]), labels)
        halo = [patheffects.withStroke(linewidth=2, foreground=look.background)]
        for text in axes.get_xticklabels():
            text.set_path_effects(halo)
        axes.set_axisbelow(False)
        axes.set(xlabel="right ascension (deg)", ylabel="declination (deg)")
        axes.tick_params(labelsize=7)

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges of cells of one area, degrees."""
        dec = np.degrees(np.arcsin(np.linspace(-1, 1, 2 * _CELLS + 1)))
        return np.linspace(self._centre - 180, self._centre + 180, 4 * _CELLS + 1), dec

    def place(self, ra, dec):
        """Return what the axes take."""
        return np.radians(self._centre - ra), np.radians(dec)


def _points(figure, frame, ra, dec, above, threshold: float, look):
    """Draw LSBGs as filled circles over small crosses."""
    x, y = frame.place(ra, dec)
    frame.axes.plot(
        x[~above], y[~above], "+", color=look.other, markersize=4, markeredgewidth=0.8,
        label=f"below {threshold:g}, or not scored ({np.count_nonzero(~above):,})",
    )  # fmt: skip
    frame.axes.plot(
        x[above], y[above], "o", color=look.lsbg, markersize=4,
        label=f"above {threshold:g} ({np.count_nonzero(above):,})",
    )  # fmt: skip
    figure.legend(loc="outside upper center", ncols=2)


def _density(figure, frame, ra, dec, look):
    """Draw candidates a square degree."""
    across, up = frame.cells()
    counts, _, _ = np.histogram2d(ra, dec, (across, up))
    heights = np.degrees(np.diff(np.sin(np.radians(up))))
    areas = np.diff(across)[:, None] * heights[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.ma.masked_equal(counts / areas, 0)
    x, y = frame.place(across, up)
    limits = (density.min(), density.max()) if density.count() else (0.1, 1)
    norm = LogNorm(*limits) if limits[1] > 30 * limits[0] else Normalize(0, limits[1])
    drawn = frame.axes.pcolormesh(x, y, density.T, cmap=look.density, norm=norm, rasterized=True)
    bar = figure.colorbar(drawn, ax=frame.axes, location="bottom", shrink=0.85, aspect=30)
    bar.set_label(r"candidates deg$^{-2}$", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if isinstance(norm, LogNorm):
        bar.ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.xaxis.set_major_formatter("{x:,g}")
    bar.ax.xaxis.set_minor_formatter("")
