"""A sample to fine-tune on, from labels given by eye."""

from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.training.labels import read_judgements
from lsbg_classifier.training.samples import Sample, random_splits

_FEWEST = 5
"""Labels of each class that a fine-tuning needs."""

_VALIDATED = 160
"""Labels beside the test from which some are worth spending on validation."""

_VALIDATION = 0.15
_TEST = 0.25
"""Parts: of what is not for the test; and for it, where nothing was chosen at random."""

_SHARP = 0.05
"""Half a 95% interval of an accuracy of 0.9 that nobody needs to be warned of."""


def sample_of_labels(path: Path | str, *, seed: int, whole: bool = False) -> Sample:
    """Make a sample of labels: what was chosen at random is the test, the rest is trained on.

    Candidates that were chosen for the network's doubt, or in browsing, say little of how good
    weights are on all candidates. Where none were chosen at random, a quarter of all is held back.

    Parameters
    ----------
    path : path
        CSV file; see `lsbg_classifier.training.labels`.
    seed : int
        Of the parts that are drawn.
    whole : bool
        Train on everything.

    Returns
    -------
    Sample
        Its notes say what was left out, and how much a test so small can tell.

    Raises
    ------
    InputError
        If the file is damaged or has too few labels of a class to train on.
    """
    judgements = read_judgements(path)
    consensus = judgements.consensus()
    labels, notes = consensus.labels, list(consensus.notes())
    splits = np.full(len(labels), "train", "<U10")
    if not whole:
        splits[_test(consensus, seed, notes)] = "test"
    rows = np.flatnonzero(splits == "train")
    _check_enough(path, labels[rows])
    if len(rows) >= _VALIDATED and not whole:
        fractions = (1 - _VALIDATION, _VALIDATION, 0.0)
        splits[rows] = random_splits(labels[rows], seed=seed, fractions=fractions)
    notes += _how_sharp(labels[splits == "test"])
    return Sample(str(path), consensus.positions, labels, splits, notes=tuple(notes))


def _test(consensus, seed: int, notes: list[str]) -> np.ndarray:
    """Choose the candidates to judge by; bool, shape (N,)."""
    if consensus.random.any():
        return consensus.random
    notes.append(
        f"no labels were chosen at random, so {_TEST:.0%} of them are held back; scores tell of "
        "candidates like these, not of all"
    )
    fractions = (1 - _TEST, 0.0, _TEST)
    return random_splits(consensus.labels, seed=seed, fractions=fractions) == "test"


def _check_enough(path, labels: np.ndarray):
    counts = int((labels == 1).sum()), int((labels == 0).sum())
    if min(counts) < _FEWEST:
        raise InputError(
            f"{path}: {counts[0]} LSBGs and {counts[1]} artifacts to train on, but at least "
            f"{_FEWEST} of each are needed; label more that were not chosen at random"
        )


def _how_sharp(labels: np.ndarray) -> list[str]:
    """Say what a test of few labels can tell."""
    if not len(labels):
        return ["no labels to judge by"]
    if len(np.unique(labels)) < 2:
        return [f"the {len(labels)} labels to judge by are of one class: no area under the ROC"]
    half = 1.96 * float(np.sqrt(0.09 / len(labels)))
    if half <= _SHARP:
        return []
    return [
        f"{len(labels)} labels to judge by: an accuracy of 0.90 would be known to about "
        f"+-{half:.2f}; label more at random to tell weights apart"
    ]
