"""The probabilities of other weights, and where they disagree with those of the catalog."""

from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lsbg_classifier.surveys import Imaging
from lsbg_classifier.training.figure_style import COLUMN, drawing
from pipeline.report.data import packed, write_data

_BATCH = 2048
_CELLS = 40
_FAINTEST = 0.3
"""Count at the end of the scale of colours: one candidate then stands out from none."""


class OtherWeights:
    """What other weights say of the gallery's candidates.

    Parameters
    ----------
    weights : str
        Name or path of the weight set.
    old_name : str
        What to call the weights of the catalog.

    Attributes
    ----------
    name, old_name : str
    threshold : float
        That of the card.
    probability : array of float32, shape (gallery,)
        NaN where there is no cutout; empty before `score`.
    """

    def __init__(self, weights: str, old_name: str):
        from lsbg_classifier import load_classifier

        self._classifier = load_classifier(weights)
        card = self._classifier.card
        self.name = card.name if card.name != old_name else str(weights)
        self.old_name, self.threshold = old_name, card.threshold
        self.probability = np.empty(0, np.float32)

    def mismatch(self, imaging: Imaging) -> str | None:
        """Say in one sentence where the cutouts are not those that the weights were made for."""
        differences = self._classifier.card.imaging.differences(imaging)
        if not differences:
            return None
        return f"{self.name} was made for other images: {'; '.join(differences)}."

    def score(self, cutouts: np.ndarray, have: np.ndarray):
        """Score the cutouts of a gallery, for `probability`.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
        have : array of bool, shape (N,)
            Which of them there are.
        """
        self.probability = np.full(len(have), np.nan, np.float32)
        places = np.flatnonzero(have)
        for part in np.split(places, range(_BATCH, len(places), _BATCH)):
            self.probability[part] = self._classifier.predict(np.asarray(cutouts[part]))

    def write(self, folder: Path) -> dict:
        """Write ``other.js`` into a folder, and return what the page's data say of it."""
        write_data(folder / "other.js", "other", packed(self.probability))
        names = {"name": self.name, "oldName": self.old_name}
        return {"other": names | {"threshold": self.threshold}}


def agreement(old: np.ndarray, other: OtherWeights, threshold: float) -> tuple[int, int, int]:
    """Count where two weight sets say the same, and where only the old or the new one says LSBG.

    Parameters
    ----------
    old : array of float32, shape (N,)
        Probabilities of the catalog, for the candidates that `other` has scored.
    other : OtherWeights
    threshold : float
        Of the old weights.

    Returns
    -------
    same, only_old, only_new : int
    """
    known = np.isfinite(old) & np.isfinite(other.probability)
    first, second = old[known] > threshold, other.probability[known] > other.threshold
    only_old, only_new = int((first & ~second).sum()), int((second & ~first).sum())
    return int(known.sum()) - only_old - only_new, only_old, only_new


def draw_agreement(
    old: np.ndarray, other: OtherWeights, threshold: float, theme: str = "light"
) -> Figure:
    """Draw the probabilities of two weight sets against each other, and both thresholds.

    Parameters
    ----------
    old, other, threshold
        As for `agreement`; at least one candidate has both probabilities.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = np.isfinite(old) & np.isfinite(other.probability)
    with drawing(theme, COLUMN, 3.9) as (figure, look):
        axes = figure.subplots()
        bins = np.linspace(0, 1, _CELLS + 1)
        counts, _, _ = np.histogram2d(old[known], other.probability[known], (bins, bins))
        shown = np.ma.masked_equal(counts.T, 0)
        norm = LogNorm(_FAINTEST, max(counts.max(), 10))
        drawn = axes.pcolormesh(bins, bins, shown, cmap=look.density, norm=norm, rasterized=True)
        bar = figure.colorbar(drawn, cax=axes.inset_axes((1.03, 0, 0.045, 1)))
        bar.ax.set_ylim(1, norm.vmax)
        bar.set_label("candidates per cell")
        bar.ax.yaxis.set_major_formatter("{x:,.0f}")
        for line, at in ((axes.axvline, threshold), (axes.axhline, other.threshold)):
            line(at, color=look.ink, linewidth=0.9, linestyle=":")
        axes.plot([0, 1], [0, 1], color=look.faint, linewidth=0.8)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel(f"probability with {plain_name(other.old_name)}")
        axes.set_ylabel(f"probability with {plain_name(other.name)}")
    return figure


def plain_name(name: str) -> str:
    """Keep a name from being read as mathematics, and short."""
    return name.replace("$", r"\$")[:40]
