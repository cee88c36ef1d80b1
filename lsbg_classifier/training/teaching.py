"""A sample to fine-tune on, from labels given by eye."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.cutouts import CutoutSource
from lsbg_classifier.training.intervals import wilson
from lsbg_classifier.training.judgements import Consensus, Judgements, read_judgements
from lsbg_classifier.training.label_circumstances import circumstance_notes
from lsbg_classifier.training.label_matching import match_judgements, rounded_decimals
from lsbg_classifier.training.samples import Sample, random_splits

_FEWEST = 5
"""Labels of each class that a fine-tuning needs."""

_VALIDATED = 160
"""Labels beside the test from which some are worth spending on validation."""

_VALIDATION = 0.15
_TEST = 0.25
"""Parts: of what is not for the test; and for it, where nothing was chosen at random."""

_SHARP = 0.1
"""Width of the interval of a completeness or purity of 0.9 that nobody needs to be warned of."""


def sample_of_labels(
    labels: Path | str | Sequence[Path | str] | Judgements,
    *,
    seed: int,
    whole: bool = False,
    left_out: Sequence[str] = (),
) -> Sample:
    """Make a sample of labels: what was chosen at random is the test, the rest is trained on.

    Candidates that were chosen for the network's doubt, or in browsing, say little of how good
    weights are on all candidates. Where none were chosen at random, a quarter of all is held back.

    Parameters
    ----------
    labels : path, sequence of paths, or Judgements
        CSV files; see `lsbg_classifier.training.label_files`. Several count as one.
    seed : int
        Of the parts that are drawn.
    whole : bool
        Train on everything.
    left_out : sequence of str
        What was left out of the labels already, for the message where too few remain.

    Returns
    -------
    Sample
        Its notes say what was left out, how far labellers agree, and how much a test so small can
        tell.

    Raises
    ------
    InputError
        If a file is damaged or there are too few labels of a class to train on.
    """
    judgements = _judgements(labels)
    consensus = judgements.consensus()
    values = consensus.labels
    notes = [*judgements.agreement_notes(), *circumstance_notes(judgements), *consensus.notes()]
    splits = np.full(len(values), "train", "<U10")
    if not whole:
        splits[_test(consensus, seed, notes)] = "test"
    rows = np.flatnonzero(splits == "train")
    check_enough(judgements.name, values[rows], notes=(*left_out, *consensus.notes()))
    if len(rows) >= _VALIDATED and not whole:
        fractions = (1 - _VALIDATION, _VALIDATION, 0.0)
        splits[rows] = random_splits(values[rows], seed=seed, fractions=fractions)
    notes += how_sharp(values[splits == "test"])
    return Sample(judgements.name, consensus.positions, values, splits, notes=tuple(notes))


def judgements_at(
    labels: Sequence[Path], source: CutoutSource
) -> tuple[Judgements, tuple[str, ...]]:
    """Read files of labels and give them the positions that a source has cutouts of.

    Only kept cutouts have positions of their own. Other sources cut at the positions of the
    labels.

    Parameters
    ----------
    labels : sequence of Path
    source : CutoutSource

    Returns
    -------
    judgements : Judgements
    notes : tuple of str
        What was assumed and what was left out.

    Raises
    ------
    InputError
        If a file is damaged, or no label is on a kept cutout.
    """
    judgements = read_judgements(*labels)
    positions = getattr(source, "positions", None)
    if positions is not None:
        matched = match_judgements(judgements, positions, source.spec)
        return matched.judgements, matched.notes
    notes = (
        f"positions have only {decimals} decimals, so their cutouts are not well centred; with "
        "--cutouts kept:ANNOTATED the labels get the positions of the catalog"
        for decimals in rounded_decimals(judgements)
    )
    return judgements, tuple(notes)


def check_enough(
    name: str,
    labels: np.ndarray,
    reasons: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
):
    """Refuse labels that are too few of a class to train on.

    Parameters
    ----------
    name : str
        Of the files.
    labels : array of int, shape (N,)
        1 = LSBG, 0 = artifact: those that are trained on.
    reasons : mapping of str to int, optional
        How many labels have no cutout, by the names of their flags.
    notes : sequence of str
        What was left out before.

    Raises
    ------
    InputError
        If a class has fewer than five.
    """
    lsbgs, artifacts = int((labels == 1).sum()), int((labels == 0).sum())
    if min(lsbgs, artifacts) >= _FEWEST:
        return
    missing = ""
    if reasons and not len(labels):
        raise InputError(
            f"{name}: no label to train on has a cutout ({reasons_text(reasons)}); are they labels "
            "of another catalog, or the images those of another field?"
        )
    if reasons:
        missing = f" ({sum(reasons.values())} labels have no cutout: {reasons_text(reasons)})"
    elif notes:
        missing = f" ({'; '.join(notes)})"
    raise InputError(
        f"{name}: {lsbgs} LSBGs and {artifacts} artifacts to train on{missing}, but at least "
        f"{_FEWEST} of each are needed; label more that were not chosen at random"
    )


def reasons_text(reasons: Mapping[str, int]) -> str:
    """Write how many have each flag, the commonest first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)


def how_sharp(labels: np.ndarray) -> list[str]:
    """Say what a test of few labels can tell; `labels` are those to judge by, 1 and 0."""
    if not len(labels):
        return ["no labels to judge by"]
    lsbgs, artifacts = int((labels == 1).sum()), int((labels == 0).sum())
    counts = f"{lsbgs} LSBGs and {artifacts} artifacts to judge by"
    if not lsbgs or not artifacts:
        return [
            f"{counts}: with one class alone the area under the ROC curve is not defined, and "
            "weights cannot be told apart; label more at random"
        ]
    rarer = min(lsbgs, artifacts)
    low, high = wilson(0.9 * rarer, rarer)
    if high - low <= _SHARP:
        return []
    score = "completeness" if lsbgs <= artifacts else "fraction of artifacts rejected"
    return [
        f"{counts}: a {score} of 0.90 would be known as {low:.2f} to {high:.2f}; label more at "
        "random to tell weights apart"
    ]


def _judgements(labels) -> Judgements:
    if isinstance(labels, Judgements):
        return labels
    return read_judgements(*([labels] if isinstance(labels, str | Path) else labels))


def _test(consensus: Consensus, seed: int, notes: list[str]) -> np.ndarray:
    """Choose the candidates to judge by; bool, shape (N,)."""
    if consensus.random.any():
        return consensus.random
    notes.append(
        f"no labels were chosen at random, so {_TEST:.0%} of them are held back; scores tell of "
        "candidates like these, not of all"
    )
    fractions = (1 - _TEST, 0.0, _TEST)
    return random_splits(consensus.labels, seed=seed, fractions=fractions) == "test"
