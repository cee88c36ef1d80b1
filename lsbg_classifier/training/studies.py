"""The paper's studies on any sample of cutouts: several trainings, one table.

Tanoglidis et al. 2021 (A&C 35, 100469): other random splits (section 4.1, table 5), label noise
(section 4.3, table 6), transfer to another survey (section 4.2, figure 7), three classes
(appendix A); and cross-validation, for small samples.
"""

from collections.abc import Sequence

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.network import build_network, freeze_convolutions, load_network
from lsbg_classifier.training.evaluation import calibration_error
from lsbg_classifier.training.intervals import scores_with_intervals
from lsbg_classifier.training.samples import SPLITS, balanced_rows, shuffled_classes
from lsbg_classifier.training.study_report import Row, Study
from lsbg_classifier.training.trainer import Trainer
from lsbg_classifier.training.workflow import (
    predict,
)
from lsbg_classifier.weights.registry import WeightSet

CLASSES = ("type 2 artifact", "LSBG", "type 1 artifact")
"""What the units of the network with three classes stand for."""

SIDES = ("both", "lsbgs", "others")
"""Whose labels may be wrong: anybody's, those of LSBGs, or those of artifacts."""

_PUBLISHED_NOISE = {
    0.01: {"accuracy": 0.918, "auc": 0.974},
    0.05: {"accuracy": 0.914, "auc": 0.970},
    0.10: {"accuracy": 0.909, "auc": 0.969},
    0.33: {"accuracy": 0.883, "auc": 0.950},
}
_PUBLISHED_SPLITS = "published, six splits: accuracy 0.912-0.920, AUC 0.967-0.972"
_PUBLISHED_TRANSFER = {
    "before": {"accuracy": 0.821, "completeness": 0.786, "purity": 0.849, "auc": 0.902},
    "after": {"accuracy": 0.876, "completeness": 0.932, "purity": 0.841, "auc": 0.936},
}


def split_study(trainer: Trainer, seeds: Sequence[int]) -> Study:
    """Train on other random splits of the whole sample, as large as its own (table 5).

    The rows are drawn one by one, so that neighbours on the sky may fall into different splits.
    Each split keeps its number of LSBGs and of others.

    Parameters
    ----------
    trainer : Trainer
    seeds : sequence of int
        One a split.

    Returns
    -------
    Study
    """
    _test_cutouts(trainer)
    images, labels = trainer.dataset.load()
    own = trainer.dataset.table(columns=["split"])["split"].to_numpy()
    rows = []
    for number, seed in enumerate(seeds):
        of_row = other_split(own, labels, seed)
        parts = {split: (images[of_row == split], labels[of_row == split]) for split in SPLITS}
        network = trainer.train(
            f"split-{seed}",
            (number, len(seeds)),
            parts["train"],
            validation=parts["validation"],
        )
        rows.append(_judged(f"split {seed}", network, *parts["test"]))
    return _study("Other random splits", trainer, rows, notes=(_PUBLISHED_SPLITS,))


def other_split(splits: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw splits of the same sizes anew, at random among the rows of each label.

    Parameters
    ----------
    splits : array of str, shape (N,)
    labels : array of int, shape (N,)
    seed : int

    Returns
    -------
    array of str, shape (N,)
        Each split has as many rows of each label as before.
    """
    rng = np.random.default_rng(seed)
    new_splits = splits.copy()
    for value in np.unique(labels):
        rows = labels == value
        new_splits[rows] = rng.permutation(splits[rows])
    return new_splits


def label_noise_study(
    trainer: Trainer, fractions: Sequence[float], sides: Sequence[str] = ("both",)
) -> Study:
    """Train with a fraction of wrong labels, and judge by right ones (table 6).

    Parameters
    ----------
    trainer : Trainer
    fractions : sequence of float
        In [0, 1]: of the labels of those concerned in the training split.
    sides : sequence of str
        Of `SIDES`.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If a fraction is outside of [0, 1], or a side is not one of `SIDES`.
    """
    for fraction in fractions:
        if not 0 <= fraction <= 1:
            raise InputError(
                f"a fraction of wrong labels must be between 0 and 1, not {fraction:g}"
            )
    for side in sides:
        if side not in SIDES:
            raise InputError(f"wrong labels must be of {', '.join(SIDES)}, not {side}")
    images, labels = trainer.dataset.load("train")
    validation, test = trainer.dataset.load("validation"), _test_cutouts(trainer)
    runs = [(side, fraction) for side in sides for fraction in fractions]
    rows = []
    for number, (side, fraction) in enumerate(runs):
        noisy = with_wrong_labels(labels, fraction, side, trainer.seed)
        name = f"noise-{side}-{fraction:g}"
        sample = images, noisy
        network = trainer.train(name, (number, len(runs)), sample, validation=validation)
        row_name = f"{100 * fraction:g}% wrong" + ("" if side == "both" else f", {side} only")
        published = _PUBLISHED_NOISE.get(fraction, {}) if side == "both" else {}
        rows.append(_judged(row_name, network, *test, published))
    return _study("Label noise", trainer, rows)


def with_wrong_labels(labels: np.ndarray, fraction: float, side: str, seed: int) -> np.ndarray:
    """Return labels of which some are wrong, drawn at random.

    Parameters
    ----------
    labels : array of int, shape (N,)
        0 or 1.
    fraction : float
        In [0, 1]: of the labels that may be wrong.
    side : str
        Of `SIDES`: which labels may be wrong.
    seed : int

    Returns
    -------
    array of int, shape (N,)
    """
    eligible = {
        "both": np.ones(len(labels), bool),
        "lsbgs": labels == 1,
        "others": labels == 0,
    }[side]
    rows = np.flatnonzero(eligible)
    rng = np.random.default_rng(seed)
    wrong_rows = rng.choice(rows, round(fraction * len(rows)), replace=False)
    noisy = labels.copy()
    noisy[wrong_rows] = 1 - noisy[wrong_rows]
    return noisy


def transfer_study(trainer: Trainer, start: WeightSet) -> Study:
    """Judge weights on another survey before and after fine-tuning on it (figure 7).

    Beside the paper's fine-tuning of all layers, the last two alone are trained, and the whole
    network from scratch by the same recipe.

    Parameters
    ----------
    trainer : Trainer
        With the dataset of the other survey.
    start : WeightSet

    Returns
    -------
    Study
    """
    test = _test_cutouts(trainer)
    rows = [_judged("before", load_network(start), *test, _PUBLISHED_TRANSFER["before"])]
    sample, validation = trainer.dataset.load("train"), trainer.dataset.load("validation")
    runs = {
        "after, all layers": lambda: load_network(start),
        "after, dense layers only": lambda: freeze_convolutions(load_network(start)),
        "from scratch": lambda: build_network(architecture=start.card.architecture),
    }
    for number, (row_name, network) in enumerate(runs.items()):
        trained = trainer.train(
            row_name.replace(", ", "-").replace(" ", "-"),
            (number, len(runs)),
            sample,
            validation=validation,
            network=network,
            start=start.card.sha256,
        )
        published = _PUBLISHED_TRANSFER["after"] if row_name == "after, all layers" else {}
        rows.append(_judged(row_name, trained, *test, published))
    return _study(f"Transfer of {start.card.name}", trainer, rows)


def fold_study(trainer: Trainer, start: WeightSet | None, folds: int) -> Study:
    """Judge a recipe by cross-validation: every cutout by a training that has not seen it.

    For samples too small to be split, such as a few hundred labels of a new survey.

    Parameters
    ----------
    trainer : Trainer
    start : WeightSet, optional
        Weights to fine-tune; none: from scratch.
    folds : int
        Parts that the sample, all its splits together, is divided into; each has its share of
        LSBGs.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If a class has fewer cutouts than there are folds.
    """
    images, labels = trainer.dataset.load()
    fewest = min(int((labels == value).sum()) for value in (0, 1))
    if fewest < folds:
        raise InputError(
            f"{trainer.dataset.folder}: {fewest} cutouts of the rarer class are too few for "
            f"{folds} folds; ask for fewer with --count"
        )
    fold = deal_folds(labels, folds, trainer.seed)
    rows = [] if start is None else [_judged("before", load_network(start), images, labels)]
    probabilities = np.empty(len(labels), np.float32)
    for number in range(folds):
        inside = fold != number
        network = trainer.train(
            f"fold-{number + 1}",
            (number, folds),
            (images[inside], labels[inside]),
            network=None if start is None else lambda: load_network(start),
            start=None if start is None else start.card.sha256,
        )
        probabilities[~inside] = predict(network, images[~inside])
    scores = scores_with_intervals(labels, probabilities)
    name = f"{folds} folds" if start is None else f"fine-tuned, {folds} folds"
    rows.append(Row(name, len(labels), scores, judged=(labels, probabilities)))
    errors = [f"{row.name} {calibration_error(*row.judged):.3f}" for row in rows if row.judged]
    notes = (f"expected calibration error: {', '.join(errors)}",)
    return _study("Cross-validation", trainer, rows, notes=notes)


def deal_folds(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Divide the rows of each class among folds at random, in equal shares.

    Parameters
    ----------
    labels : array of int, shape (N,)
        0 or 1.
    count : int
        Of folds.
    seed : int

    Returns
    -------
    array of int, shape (N,)
        Number of each row's fold, from 0.
    """
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), int)
    for rows in shuffled_classes(labels, rng):
        fold[rows] = np.arange(len(rows)) % count
    return fold


def three_class_study(trainer: Trainer) -> Study:
    """Tell LSBGs, artifacts of type 2 and artifacts of type 1 apart (appendix A).

    Type 2 passed a classifier of features and failed the eye; type 1 did not pass. As many of
    each class are taken as there are of the rarest.

    Raises
    ------
    InputError
        If the dataset does not know the types, or has none of one.
    """
    if "artifact_type" not in trainer.dataset.column_names:
        raise InputError(
            f"{trainer.dataset.folder}: has no types of artifacts; make it with "
            "lsbg-train-des --type-1 or --sample simulated"
        )
    splits = {split: _three_classes(trainer, split) for split in SPLITS}
    for split in ("train", "test"):
        if not len(splits[split][1]):
            raise InputError(f"{trainer.dataset.folder}: a class is missing in its {split} split")
    network = trainer.train(
        "three-classes",
        (0, 1),
        splits["train"],
        validation=splits["validation"],
        network=lambda: trainer.build(len(CLASSES)),
    )
    images, classes = splits["test"]
    probabilities = predict(network, images)
    called = probabilities.argmax(axis=1)
    rows = [
        Row(
            name,
            len(classes),
            _one_against_the_others(classes == number, called == number, probabilities[:, number]),
        )
        for number, name in enumerate(CLASSES)
    ]
    confusion = np.zeros((len(CLASSES),) * 2, int)
    np.add.at(confusion, (classes, called), 1)
    right = float((called == classes).mean())
    notes = (f"accuracy of all three: {right:.3f}; each row: one class against the other two",)
    return _study("Three classes", trainer, rows, notes=notes, confusion=confusion.tolist())


def _one_against_the_others(labels, called, probability) -> dict:
    """Return the scores of a class: fractions by what was called, the others by probability."""
    fractions = scores_with_intervals(labels, np.where(called, 1.0, 0.0))
    ranking = scores_with_intervals(labels, probability)
    return ranking | {name: fractions[name] for name in ("accuracy", "completeness", "purity")}


def _three_classes(trainer, split):
    """Load images and classes of a split, the sample's and spare type 1, as many of each."""
    images, types = trainer.dataset.load(split, spare=True, labels="artifact_type")
    of_sample = trainer.dataset.table(split, ["split"], spare=True)["split"].to_numpy() == split
    classes = np.select([types == 0, types == 2], [1, 0], 2)
    usable = np.where(of_sample | (classes == 2), classes, -1)
    rng = np.random.default_rng(trainer.seed)
    chosen = np.sort(balanced_rows(usable, rng, values=range(len(CLASSES))))
    return images[chosen], classes[chosen]


def _test_cutouts(trainer) -> tuple[np.ndarray, np.ndarray]:
    """Load what trainings are judged by; that there is something must be known before them."""
    images, labels = trainer.dataset.load("test")
    if len(np.unique(labels)) < 2:
        raise InputError(f"{trainer.dataset.folder}: needs LSBGs and others in its test split")
    return images, labels


def _judged(name, network, images, labels, published=None) -> Row:
    probabilities = predict(network, images)
    scores = scores_with_intervals(labels, probabilities)
    return Row(name, len(labels), scores, dict(published or {}), (labels, probabilities))


def _study(title, trainer, rows, notes=(), confusion=()) -> Study:
    return Study(
        title,
        trainer.dataset.manifest.sample,
        trainer.describe(),
        trainer.seed,
        tuple(rows),
        tuple(notes),
        tuple(map(tuple, confusion)),
    )
