"""Old weights and new ones on the same labels, and the labellers on the same candidates."""

from dataclasses import dataclass
from os import PathLike

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import CutoutSource, load_classifier
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.training.assessment import METRICS, scores_with_intervals, table_row
from lsbg_classifier.training.evaluation import bootstrap_differences
from lsbg_classifier.training.labels import Agreement, Judgements

_NAMES = {"auc": "area under the ROC curve"}


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
        For each of `METRICS`: value, and the ends of its 95% bootstrap interval; NaN where not
        defined. Differences are new minus old, on the same resamplings.
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
    old_scores: dict[str, tuple[float, float, float]]
    new_scores: dict[str, tuple[float, float, float]]
    differences: dict[str, tuple[float, float, float]]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()

    def verdict(self) -> str:
        """Say in one sentence whether the new weights are better, by their accuracy."""
        change, low, high = self.differences["accuracy"]
        said = f"accuracy {change:+.3f} ({low:+.3f} to {high:+.3f})"
        if low > 0:
            return f"{self.new_name} is better than {self.old_name}: {said}"
        if high < 0:
            return f"{self.new_name} is worse than {self.old_name}: {said}"
        return (
            f"{self.new_name} and {self.old_name} cannot be told apart by {len(self.labels)} "
            f"labels: {said}"
        )

    def to_markdown(self) -> str:
        """Write the tables: scores of both with their difference, and the labellers'."""
        lines = [
            f"{len(self.labels)} candidates of {_text(self.labels_name)} that were chosen at "
            f"random, {int(self.labels.sum())} of them LSBGs. In brackets: 95% of 1000 resamplings "
            "of the candidates, the same ones for both weights.",
            "",
            table_row("score", _text(self.old_name), _text(self.new_name), "difference"),
            "|---" * 4 + "|",
        ]
        for name in METRICS:
            cells = (
                _scored(self.old_scores[name]),
                _scored(self.new_scores[name]),
                _scored(self.differences[name], "+.3f"),
            )
            lines.append(table_row(_NAMES.get(name, name), *cells))
        lines += ["", f"{_text(self.verdict())}."]
        if self.agreements:
            lines += [
                "",
                table_row("labellers", "judged by both", "agreed", "Cohen's kappa"),
                "|---" * 4 + "|",
                *(_labellers(agreement) for agreement in self.agreements),
            ]
        lines += [line for note in self.notes for line in ("", f"{_text(note)}.")]
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
        See `lsbg_classifier.training.labels.read_judgements`.
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
        raise InputError(
            f"{judgements.name}: no label was chosen at random, and others cannot judge weights "
            "fairly; label some random ones"
        )
    classifiers = load_classifier(old), load_classifier(new)
    images, flags = fetch_usable(source.fetch, consensus.positions[chosen])
    usable = (flags & NOT_SCORED) == 0
    if not usable.any():
        raise InputError(
            f"{source.spec}: has no cutout of the candidates labelled in {judgements.name}"
        )
    labels = consensus.labels[chosen][usable]
    cards = [classifier.card for classifier in classifiers]
    probabilities = tuple(classifier.predict(images[usable]) for classifier in classifiers)
    thresholds = cards[0].threshold, cards[1].threshold
    scores = [
        scores_with_intervals(labels, found, threshold)
        for found, threshold in zip(probabilities, thresholds, strict=True)
    ]
    missing = int((~usable).sum())
    return Comparison(
        judgements.name,
        *_names(cards, (old, new)),
        labels,
        *probabilities,
        thresholds,
        *scores,
        bootstrap_differences(labels, probabilities, thresholds),
        tuple(judgements.agreements()),
        consensus.notes() + ((f"{missing} left out: no cutout",) if missing else ()),
    )


def _names(cards, asked) -> tuple[str, str]:
    """Return what to call both weights; where their cards say the same, as they were asked for."""
    names = tuple(card.name for card in cards)
    return names if names[0] != names[1] else tuple(map(str, asked))


def _labellers(agreement: Agreement) -> str:
    names = (_text(name or "no name") for name in (agreement.first, agreement.second))
    kappa = f"{agreement.kappa:.2f}" if np.isfinite(agreement.kappa) else "not defined"
    return table_row(" and ".join(names), str(agreement.count), f"{agreement.agreed:.0%}", kappa)


def _scored(values: tuple[float, float, float], form: str = ".3f") -> str:
    """Write a score and its interval."""
    if not np.isfinite(values[0]):
        return "not defined"
    value, low, high = (f"{number:{form}}" for number in values)
    return f"{value} ({low} to {high})"


def _text(text: str) -> str:
    """Write a name so that it is no Markdown."""
    return "".join(f"\\{letter}" if letter in "|*_`[]<>\\" else letter for letter in text)
