"""Figures of a run, one function a plot: for the report's page and for papers.

Classes differ by filling, line and marker, and not by colour alone. Right ascension grows to the
left, faint lies right.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier.training import evaluation
from lsbg_classifier.training.figure_style import write_figure
from pipeline.report.accuracy_figures import (
    completeness,
    labelled,
    of_lsbgs,
    reliability,
    roc_curves,
)
from pipeline.report.candidates import Candidates
from pipeline.report.distributions import flag_counts, probabilities
from pipeline.report.quantities import Quantity
from pipeline.report.sky import sky_map

__all__ = [
    "Drawn",
    "completeness",
    "draw_all",
    "flag_counts",
    "probabilities",
    "reliability",
    "roc_curves",
    "save_figures",
    "sky_map",
]


@dataclass(frozen=True)
class Drawn:
    """A figure, and what is said of it.

    Attributes
    ----------
    name : str
        For a file.
    title, description : str
        Of what it shows; the description says it to those who cannot see it.
    figure : matplotlib.figure.Figure
    """

    name: str
    title: str
    description: str
    figure: Figure


def draw_all(
    candidates: Candidates,
    quantities: Sequence[Quantity] = (),
    *,
    threshold: float = 0.5,
    theme: str = "light",
) -> Iterator[Drawn]:
    """Draw every figure that these candidates allow.

    Parameters
    ----------
    candidates : Candidates
    quantities : sequence of Quantity
        See `quantities.find_quantities`.
    threshold : float
        Called an LSBG above this.
    theme : str
        ``light`` or ``dark``.

    Yields
    ------
    Drawn
    """
    rows = candidates.scored
    above = int(np.count_nonzero(candidates.probability > threshold))
    if len(rows):
        yield Drawn(
            "probabilities",
            "Probabilities",
            f"Histogram of the probabilities of {len(rows):,} candidates; {above:,} are above "
            f"{threshold:g}.",
            probabilities(candidates, threshold=threshold, theme=theme),
        )
    flagged = ", ".join(
        f"{flag.name} {count:,}"
        for flag in Flag
        if (count := int(np.count_nonzero(candidates.flags & flag)))
    )
    yield Drawn(
        "flags",
        "Flags",
        f"Bars of the number of candidates with each flag: {flagged or 'none has any'}.",
        flag_counts(candidates, theme=theme),
    )
    if np.isfinite(candidates.positions).any():
        yield Drawn(
            "sky",
            "Sky",
            f"Map of the candidates on the sky, right ascension to the left; {above:,} of them "
            f"above {threshold:g}.",
            sky_map(candidates, threshold=threshold, theme=theme),
        )
    yield from _judged(candidates, quantities, threshold, theme)


def _judged(candidates, quantities, threshold, theme) -> Iterator[Drawn]:
    """Draw what needs labels, where there are any."""
    label, _ = labelled(candidates)
    if label.any():
        for quantity in quantities:
            values, recovered = of_lsbgs(candidates, quantity, threshold)
            if len(values):
                yield Drawn(
                    f"completeness_{quantity.name.replace(' ', '_')}",
                    f"Completeness against {quantity.name}",
                    f"Fraction of {len(values):,} LSBGs above {threshold:g} in bins of "
                    f"{quantity.name}; {recovered.mean():.3f} in all.",
                    completeness(candidates, quantity, threshold=threshold, theme=theme),
                )
    if len(np.unique(label)) == 2:
        error = evaluation.calibration_error(*labelled(candidates))
        yield Drawn(
            "reliability",
            "Reliability",
            f"Fraction labelled LSBG against mean probability, {len(label):,} candidates; they "
            f"differ by {error:.3f} on average.",
            reliability(candidates, theme=theme),
        )


def save_figures(
    folder: Path,
    candidates: Candidates,
    quantities: Sequence[Quantity] = (),
    *,
    threshold: float = 0.5,
    panel: Callable[[], Figure] | None = None,
) -> list[Path]:
    """Write every figure as PNG and PDF into a folder, made if missing.

    Parameters
    ----------
    folder : path
    candidates, quantities, threshold
        As for `draw_all`.
    panel : callable, optional
        Draws the best and the worst candidates, see `panel.draw_panel`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If the folder is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the figures")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for drawn in draw_all(candidates, quantities, threshold=threshold):
        written += write_figure(drawn.figure, folder / f"{drawn.name}.png", pdf=True)
    if panel is not None:
        written += write_figure(panel(), folder / "best_and_worst.png", pdf=True)
    return written
