"""Old weights and new ones on the same labels, and the labellers on the same candidates."""

from dataclasses import dataclass
from os import PathLike

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import CutoutSource, load_classifier
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.training.intervals import (
    ScoreRange,
    score_differences,
    scores_with_intervals,
)
from lsbg_classifier.training.judgements import AGREEMENT_HEADER, Agreement, Judgements
from lsbg_classifier.training.score_tables import Section, markdown_table, plain, score_section


@dataclass(frozen=True)
class Comparison:
    """What old and new weights make of the labels that were chosen at random.

    Attributes
    ----------
    labels_name, old_name, new_name : str
    labels : array of int8, shape (N,)
        1 = LSBG, 0 = artifact.
    old, new : arrays of float32, shape (N,)
        Probabilities of the same cutouts.
    thresholds : (float, float)
        Those of the cards, old and new.
    old_scores, new_scores, differences : dict
        For each of `intervals.METRICS`: value, and the ends of its 95% interval; NaN where not
        defined. Differences are new minus old, of the same candidates.
    agreements : tuple of Agreement
        Of the labellers, on all candidates that two of them judged.
    notes : tuple of str
        What was left out.
    """

    labels_name: str
    old_name: str
    new_name: str
    labels: np.ndarray
    old: np.ndarray
    new: np.ndarray
    thresholds: tuple[float, float]
    old_scores: dict[str, ScoreRange]
    new_scores: dict[str, ScoreRange]
    differences: dict[str, ScoreRange]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> str:
        """The numbers of LSBGs and artifacts, in words."""
        lsbgs = int(self.labels.sum())
        return f"{lsbgs} LSBGs and {len(self.labels) - lsbgs} artifacts"

    def verdict(self) -> str:
        """Say in one sentence whether the new weights are better.

        The area under the ROC curve decides: where LSBGs are rare, accuracy tells of artifacts
        alone.
        """
        change, low, high = self.differences["auc"]
        if not np.isfinite(change):
            return (
                f"{self.new_name} and {self.old_name} cannot be compared: the random labels are "
                f"{self.counts}, and both classes are needed; label more at random"
            )
        score = f"area under ROC {change:+.3f} ({low:+.3f} to {high:+.3f})"
        if low > 0 or high < 0:
            word = "better" if low > 0 else "worse"
            return f"{self.new_name} is {word} than {self.old_name} by {self.counts}: {score}"
        return f"{self.new_name} and {self.old_name} cannot be told apart by {self.counts}: {score}"

    def section(self) -> Section:
        """Return the table of both weights and their difference, with the verdict above it."""
        columns = {
            self.old_name: self.old_scores,
            self.new_name: self.new_scores,
            "difference": self.differences,
        }
        lines = [
            f"{self.verdict()}.",
            f"On {len(self.labels):,} labels that were chosen at random, {self.counts}; in "
            "brackets 95% intervals.",
            *(f"{note}." for note in self.notes),
        ]
        return score_section("Old and new weights", columns, lines, signed=["difference"])

    def to_markdown(self) -> str:
        """Write the tables: scores of both with their difference, and the labellers'."""
        lines = [f"{plain(self.labels_name)}.", "", *self.section().to_markdown()]
        if self.agreements:
            rows = [agreement.cells() for agreement in self.agreements]
            lines += ["", *markdown_table(AGREEMENT_HEADER, rows)]
        return "\n".join(lines) + "\n"


def compare(
    judgements: Judgements,
    source: CutoutSource,
    old: str | PathLike,
    new: str | PathLike,
) -> Comparison:
    """Judge two sets of weights by the labels that were chosen at random.

    Parameters
    ----------
    judgements : Judgements
        See `lsbg_classifier.training.judgements.read_judgements`.
    source : CutoutSource
        Where the cutouts come from; kept ones are the quickest, see
        `lsbg_classifier.cutouts.kept.KeptSource`.
    old, new : str or path
        Weights, by name or path.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If no label was chosen at random, none of them has a cutout, or weights are unknown.
    """
    consensus = judgements.consensus()
    chosen = consensus.random
    if not chosen.any():
        raise InputError(_nothing_random(judgements))
    classifiers = load_classifier(old), load_classifier(new)
    images, flags = fetch_usable(source.fetch, consensus.positions[chosen])
    usable = (flags & NOT_SCORED) == 0
    if not usable.any():
        raise InputError(
            f"{source.spec}: has no cutout of the candidates labelled in {judgements.name}"
        )
    labels = consensus.labels[chosen][usable]
    cards = [classifier.card for classifier in classifiers]
    old_probability, new_probability = (c.predict(images[usable]) for c in classifiers)
    probabilities = old_probability, new_probability
    thresholds = cards[0].threshold, cards[1].threshold
    old_scores, new_scores = (
        scores_with_intervals(labels, probability, threshold)
        for probability, threshold in zip(probabilities, thresholds, strict=True)
    )
    old_name, new_name = _names(cards, (old, new))
    missing = int((~usable).sum())
    return Comparison(
        judgements.name,
        old_name,
        new_name,
        labels,
        old_probability,
        new_probability,
        thresholds,
        old_scores,
        new_scores,
        score_differences(labels, probabilities, thresholds),
        tuple(judgements.agreements()),
        consensus.notes() + ((f"{missing} left out: no cutout",) if missing else ()),
    )


def _nothing_random(judgements: Judgements) -> str:
    """Say why no label that was chosen at random can judge weights."""
    if judgements.random.any():
        why = "; ".join(judgements.consensus().notes())
        return (
            f"{judgements.name}: of {int(judgements.random.sum())} candidates chosen at random "
            f"none has a label that labellers agree on ({why}); label more random ones"
        )
    return (
        f"{judgements.name}: no label was chosen at random, and others cannot judge weights "
        "fairly; label some random ones"
    )


def _names(cards, weights) -> tuple[str, str]:
    """Return what to call both weights; where their cards say the same, as they were asked for."""
    first, second = (card.name for card in cards)
    return (first, second) if first != second else (str(weights[0]), str(weights[1]))
