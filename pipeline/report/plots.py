"""The page's plots: those of `figures`, as SVG, once on white and once on black."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from pipeline.report.candidates import Candidates
from pipeline.report.comparison import Comparison
from pipeline.report.other_weights import OtherWeights, agreement, draw_agreement
from pipeline.report.quantities import Quantity
from pipeline.report.run_figures import Drawn, draw_all, roc_curves


@dataclass(frozen=True)
class Plot:
    """A plot of the page.

    Attributes
    ----------
    name : str
        For a file.
    title, description : str
        The description says what it shows to those who cannot see it.
    light, dark : str
        Its files, relative to the page.
    width, height : int
        CSS pixels.
    """

    name: str
    title: str
    description: str
    light: str
    dark: str
    width: int
    height: int

    @property
    def wide(self) -> bool:
        """Whether it needs more than half of the page."""
        return self.width > 600


def write_plots(
    folder: Path,
    candidates: Candidates,
    quantities: Sequence[Quantity],
    *,
    threshold: float,
    more: Callable[[str], Iterator[Drawn]] = lambda theme: iter(()),
) -> list[Plot]:
    """Write the plots that the candidates allow into a folder, made here.

    Parameters
    ----------
    folder : Path
    candidates, quantities, threshold
        As for `figures.draw_all`.
    more : callable
        Given the name of a theme, yields further plots.

    Returns
    -------
    list of Plot
    """
    import matplotlib

    folder.mkdir()
    plots = []
    themes = [
        chain(draw_all(candidates, quantities, threshold=threshold, theme=theme), more(theme))
        for theme in ("light", "dark")
    ]
    for light, dark in zip(*themes, strict=True):
        for drawn, theme in ((light, "light"), (dark, "dark")):
            with matplotlib.rc_context({"svg.hashsalt": drawn.name}):
                path = folder / f"{light.name}-{theme}.svg"
                drawn.figure.savefig(path, format="svg", metadata={"Date": None})
        width, height = (round(96 * inches) for inches in light.figure.get_size_inches())
        one, other = (f"{folder.name}/{light.name}-{theme}.svg" for theme in ("light", "dark"))
        plots.append(Plot(light.name, light.title, light.description, one, other, width, height))
    return plots


def draw_disagreement(
    old: np.ndarray, other: OtherWeights, threshold: float, theme: str = "light"
) -> Iterator[Drawn]:
    """Draw where the probabilities of two weight sets differ, if any candidate has both.

    Parameters
    ----------
    old, other, threshold
        As for `other_weights.agreement`.
    theme : str
        ``light`` or ``dark``.

    Yields
    ------
    Drawn
        One plot, or none.
    """
    same, only_old, only_new = agreement(old, other, threshold)
    if same + only_old + only_new == 0:
        return
    yield Drawn(
        "old_and_new_weights",
        "Where the weights disagree",
        f"Probabilities with {other.name} against those with {other.old_name}: for {same:,} "
        f"candidates they say the same; only {other.old_name} calls {only_old:,} LSBGs, only "
        f"{other.name} {only_new:,}.",
        draw_agreement(old, other, threshold, theme),
    )


def draw_comparison(comparison: Comparison | None, theme: str = "light") -> Iterator[Drawn]:
    """Draw the ROC curves of old and new weights, where both classes are among the labels.

    Parameters
    ----------
    comparison : Comparison or None
        None: nothing is drawn.
    theme : str
        ``light`` or ``dark``.

    Yields
    ------
    Drawn
        One plot, or none.
    """
    if comparison is None or len(np.unique(comparison.labels)) < 2:
        return
    names = comparison.old_name, comparison.new_name
    areas = [scores["auc"][0] for scores in (comparison.old_scores, comparison.new_scores)]
    curves = {
        name: (comparison.labels, probability)
        for name, probability in zip(names, (comparison.old, comparison.new), strict=True)
    }
    yield Drawn(
        "roc_old_and_new",
        "Old and new weights",
        f"ROC curves on {len(comparison.labels):,} labels: area {areas[0]:.3f} with {names[0]}, "
        f"{areas[1]:.3f} with {names[1]}.",
        roc_curves(curves, theme=theme),
    )
