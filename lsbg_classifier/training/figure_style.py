"""How figures look: readable in grey and by the colour-blind, on white and on black."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from catalogs.output import written_whole

COLUMN, HEIGHT = 4.4, 3.1
"""Inches of a figure; a column of a journal takes it without loss."""

_RESOLUTION = 200
"""Dots per inch of a PNG."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes
    ----------
    background, ink, faint : str
        Of the page, of lines and text, and of what stands behind.
    lsbg, other : str
        Of the classes; the colour-blind tell them apart (Okabe & Ito 2008), and in grey one is
        lighter.
    density : str
        Colour map that grows evenly lighter.
    """

    background: str
    ink: str
    faint: str
    lsbg: str
    other: str
    density: str


THEMES = {
    "light": Theme("#ffffff", "#1a1a1a", "#b8b8b8", "#0072b2", "#d55e00", "cividis_r"),
    "dark": Theme("#14171c", "#e8e8e8", "#5c6066", "#56b4e9", "#e69f00", "cividis"),
}
"""The two that a page may have; figures on their own are light."""


@contextmanager
def drawing(theme: str, width: float, height: float) -> Iterator[tuple[Figure, Theme]]:
    """Provide an empty figure and the colours to draw with; it needs no display.

    Parameters
    ----------
    theme : str
        ``light`` or ``dark``; see `THEMES`.
    width, height : float
        Inches.

    Yields
    ------
    figure : matplotlib.figure.Figure
    theme : Theme

    Raises
    ------
    ValueError
        If there is no such theme.
    """
    if theme not in THEMES:
        raise ValueError(f"theme must be {' or '.join(THEMES)}, not {theme!r}")
    look = THEMES[theme]
    with matplotlib.rc_context(_settings(look)):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, look


def _settings(look: Theme) -> dict:
    ink = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    return dict.fromkeys(ink, look.ink) | {
        "figure.facecolor": look.background,
        "axes.facecolor": look.background,
        "savefig.facecolor": "auto",
        "hatch.color": look.ink,
        "hatch.linewidth": 0.7,
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.titlesize": 9,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "xtick.direction": "in",
        "ytick.direction": "in",
        "xtick.top": True,
        "ytick.right": True,
    }


def write_figure(figure: Figure, path: Path, *, pdf: bool = False) -> list[Path]:
    """Write a figure as PNG and, for papers, as PDF beside it; each whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        Of the PNG; the PDF has the same name with another ending. Text in it stays text.
    pdf : bool

    Returns
    -------
    list of Path
        What was written.
    """
    paths = [path, path.with_suffix(".pdf")] if pdf else [path]
    for target in paths:
        kind = target.suffix[1:]
        with written_whole(target) as partial, matplotlib.rc_context({"pdf.fonttype": 42}):
            figure.savefig(partial, format=kind, dpi=_RESOLUTION, metadata=_metadata(kind))
    return paths


def _metadata(kind: str) -> dict:
    """Leave out what would make two runs differ."""
    return {"Software": None} if kind == "png" else {"CreationDate": None}
