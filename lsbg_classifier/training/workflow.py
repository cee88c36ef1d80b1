"""From a dataset of labelled cutouts to a weight set with its card."""

import csv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from catalogs.errors import InputError
from catalogs.output import remove_partials, written_whole
from lsbg_classifier.calibration import fit_temperature
from lsbg_classifier.likeness import Likeness, load_likeness
from lsbg_classifier.network import (
    build_network,
    expect_fraction,
    freeze_convolutions,
    load_network,
)
from lsbg_classifier.networks.registry import DEFAULT_NETWORK, check_architecture
from lsbg_classifier.training.batches import TrainingSample
from lsbg_classifier.training.dataset import CutoutDataset
from lsbg_classifier.training.evaluation import calibration_error
from lsbg_classifier.training.evaluation_figures import draw_history
from lsbg_classifier.training.figure_style import write_figure
from lsbg_classifier.training.intervals import scores_with_intervals
from lsbg_classifier.training.label_noise import true_fraction
from lsbg_classifier.training.likeness_fit import fit_likeness
from lsbg_classifier.training.recipes import Checkpointing, History, Progress, Recipe, train
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import WeightSet
from lsbg_classifier.weights.saving import check_name, save_weight_set
from lsbg_classifier.weights.seen import cutout_hashes, load_seen
from lsbg_classifier.weights.thresholds import threshold_table

_PREDICT_BATCH = 256


@dataclass(frozen=True)
class Training:
    """What is trained, on what, and what its card will say.

    Attributes
    ----------
    name, description, limitations, command : str
        For the card; `command` is what makes the weights again.
    dataset : CutoutDataset
    recipe : Recipe
    seed : int
    start : WeightSet, optional
        Weights to fine-tune; none: from scratch.
    layers : str
        ``all``, or ``dense``: leave the convolutions as they are.
    spare : bool
        Train on the dataset's spare cutouts too.
    beside : CutoutDataset, optional
        Half of every batch comes from the training split of this one, so that what the weights
        to start from have learned there is not forgotten.
    mixed_precision : bool
        Compute in float16 where the hardware is faster that way.
    prior : float, optional
        Fraction of LSBGs among the candidates that the weights are for; none: that of what they
        were trained on.
    architecture : str, optional
        Name of the network; none: that of the weights to start from, or DeepShadows.
    unlabelled : float
        Fraction of the others that are LSBGs which nobody has labelled; see `label_noise`.
    """

    name: str
    description: str
    limitations: str
    command: str
    dataset: CutoutDataset
    recipe: Recipe
    seed: int = 1
    start: WeightSet | None = None
    layers: str = "all"
    spare: bool = False
    beside: CutoutDataset | None = None
    mixed_precision: bool = False
    prior: float | None = None
    architecture: str | None = None
    unlabelled: float = 0.0

    @property
    def network(self) -> str:
        """Name of the network that is trained."""
        if self.start is not None:
            return self.start.card.architecture
        return self.architecture or DEFAULT_NETWORK


def make_weights(
    training: Training, folder: Path, *, resume: bool = False, progress: Progress | None = None
) -> WeightSet:
    """Train, judge and save: weights, card, history (CSV) and curves (PNG), in a folder.

    Parameters
    ----------
    training : Training
    folder : Path
        Gets ``NAME.weights.h5``, ``NAME.json``, ``history.csv``, ``curves.png`` and, while it
        trains, a checkpoint.
    resume : bool
        Go on from the checkpoint.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    WeightSet

    Raises
    ------
    InputError
        If the name is no name for weights, the layers or the architecture are unknown, or the
        checkpoint belongs to another training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = training.dataset
    check_request(training.name, training.layers, training.start, training.architecture)
    images, labels = dataset.load("train", spare=training.spare)
    validation = dataset.load("validation")
    network = _network(training)
    beside = None if training.beside is None else rehearsed(training.beside, dataset)
    history = train(
        network,
        TrainingSample(images, labels, _artifact_types(training), beside, training.unlabelled),
        training.recipe,
        seed=training.seed,
        validation=validation if len(validation[1]) else None,
        checkpointing=Checkpointing(folder, _identity(training), resume),
        progress=progress,
    )
    write_history(history, folder)
    trained = 0.5 if training.recipe.balance else float(labels.mean())
    trained = true_fraction(trained, training.unlabelled)
    prior = trained if training.prior is None else training.prior
    if training.prior is not None:
        expect_fraction(network, prior, trained)
    card = _card(training, network, labels, validation, prior)
    likeness = _likeness(training, images)
    return save_weight_set(network, card, folder, likeness, _seen(training, images))


def check_request(name: str, layers: str, start: WeightSet | None, architecture: str | None = None):
    """Check that weights of this name can be made in this way.

    Parameters
    ----------
    name : str
        Of the weights to be made.
    layers : str
        ``all`` or ``dense``.
    start : WeightSet, optional
        Weights to go on from; none: from scratch.
    architecture : str, optional
        Name of the network that is asked for; none: that of `start`, or DeepShadows.

    Raises
    ------
    InputError
        If the name is no name for weights, the layers or the architecture are unknown, or do not
        go with the weights to start from.
    """
    check_name(name)
    if layers not in ("all", "dense"):
        raise InputError(f"--layers must be all or dense, not {layers}")
    if layers == "dense" and start is None:
        raise InputError("--layers dense needs weights to start from; name them with --from")
    if architecture is None:
        return
    check_architecture(architecture)
    if start is not None and start.card.architecture != architecture:
        raise InputError(
            f"--architecture {architecture}: {start.card.name} has the network "
            f"{start.card.architecture}; leave out --architecture or --from"
        )


def architecture_identity(architecture: str) -> dict[str, str]:
    """Return a network's part in the identity of a checkpoint; DeepShadows has none."""
    return {} if architecture == DEFAULT_NETWORK else {"architecture": architecture}


def _identity(training: Training) -> dict[str, object]:
    """Return what decides a training, besides recipe, seed and labels."""
    start, beside = training.start, training.beside
    return {
        "sample": training.dataset.manifest.sample_sha256,
        "start": None if start is None else start.card.sha256,
        "layers": training.layers,
        "spare": training.spare,
        "beside": None if beside is None else beside.manifest.sample_sha256,
        "mixed_precision": training.mixed_precision,
        **({"unlabelled": training.unlabelled} if training.unlabelled else {}),
        **architecture_identity(training.network),
    }


def rehearsed(beside: CutoutDataset, dataset: CutoutDataset) -> tuple[np.ndarray, np.ndarray]:
    """Load what is trained on beside a dataset: the training split of another one, spare rows too.

    Parameters
    ----------
    beside : CutoutDataset
        The other one.
    dataset : CutoutDataset

    Returns
    -------
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int8, shape (N,)

    Raises
    ------
    InputError
        If its images are others than the dataset's, or a class is missing.
    """
    differences = dataset.manifest.imaging.differences(beside.manifest.imaging)
    if differences:
        raise InputError(
            f"{beside.folder}: not the images of the sample: {'; '.join(differences)}; choose "
            "another for --beside"
        )
    images, labels = beside.load("train", spare=True)
    if len(np.unique(labels)) < 2:
        raise InputError(f"{beside.folder}: needs LSBGs and others in its train split")
    return images, labels


def predict(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the network's probabilities of cutouts.

    Parameters
    ----------
    network : keras.Model
    images : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of float32
        Shape (N,), or (N, classes) of a network with more than two.
    """
    parts = [
        network.predict_on_batch(images[start : start + _PREDICT_BATCH] * np.float32(1 / 255))
        for start in range(0, len(images), _PREDICT_BATCH)
    ]
    units = network.output_shape[-1]
    probabilities = np.concatenate([np.empty((0, units), np.float32), *parts]).astype(np.float32)
    return probabilities[:, 0] if units == 1 else probabilities


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the scores of a card, to four decimals.

    Parameters
    ----------
    labels, probabilities : arrays, shape (N,)
        As for `evaluation.judge`.

    Returns
    -------
    dict of str to float
        ``count``, ``lsbgs``, ``calibration_error``, and of each of `intervals.METRICS` the value
        and the ends of its 95% interval, ``NAME_low`` and ``NAME_high``. Scores that are not
        defined are left out.
    """
    scores: dict[str, float] = {"count": len(labels), "lsbgs": int(np.sum(labels))}
    for name, (value, low, high) in scores_with_intervals(labels, probabilities).items():
        scores |= {name: value, f"{name}_low": low, f"{name}_high": high}
    scores["calibration_error"] = calibration_error(labels, probabilities)
    return {name: round(float(value), 4) for name, value in scores.items() if np.isfinite(value)}


def write_history(history: History, folder: Path):
    """Write ``history.csv`` and ``curves.png``, each whole or not at all.

    Parameters
    ----------
    history : History
        Of one epoch at least.
    folder : Path
        Must exist.
    """
    remove_partials(folder / "history.csv")
    with (
        written_whole(folder / "history.csv") as partial,
        open(partial, "w", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(history.epochs[0]))
        writer.writeheader()
        writer.writerows(history.epochs)
    write_figure(draw_history(history.epochs), folder / "curves.png")


def _artifact_types(training: Training) -> np.ndarray | None:
    """Return the types of the cutouts that are trained on, where they are known."""
    if "artifact_type" not in training.dataset.column_names:
        return None
    table = training.dataset.table("train", ["artifact_type"], spare=training.spare)
    return table["artifact_type"].to_numpy()


def _likeness(training: Training, images: np.ndarray) -> Likeness | None:
    """Fit the check to the cutouts; too few of them have that of the weights they started from.

    Weights that are fine-tuned on images of another survey never take over that check: theirs is
    fitted to fewer cutouts.
    """
    start = training.start
    if start is None:
        return fit_likeness(images, seed=training.seed)
    other = bool(training.dataset.manifest.imaging.differences(start.card.imaging))
    fitted = fit_likeness(images, seed=training.seed, other_images=other)
    return load_likeness(start.path) if fitted is None and not other else fitted


def _seen(training: Training, images: np.ndarray) -> np.ndarray:
    """Return the hashes of all cutouts trained on, those of the weights to start from too."""
    hashes = [cutout_hashes(images)]
    if training.beside is not None:
        hashes.append(cutout_hashes(training.beside.load("train", spare=True)[0]))
    if training.start is not None and (seen := load_seen(training.start.path)) is not None:
        hashes.append(seen)
    return np.concatenate(hashes)


def _network(training: Training) -> keras.Model:
    keras.utils.set_random_seed(training.seed)
    if training.mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    if training.start is None:
        network = build_network(architecture=training.network)
    else:
        network = load_network(training.start)
    return freeze_convolutions(network) if training.layers == "dense" else network


def _card(training: Training, network, labels, validation, prior: float) -> Card:
    manifest = training.dataset.manifest
    temperature = 1.0
    if len(np.unique(validation[1])) == 2:
        probabilities = predict(network, validation[0])
        temperature = fit_temperature(
            validation[1], probabilities, training.prior, training.unlabelled
        )
    scores, thresholds = _judged(training, network)
    started = f", starting from {training.start.card.name}" if training.start else ""
    if training.beside is not None:
        started += f", beside {training.beside.manifest.sample}"
    return Card(
        name=training.name,
        description=training.description,
        survey=manifest.imaging.survey,
        bands=manifest.imaging.bands,
        pixel_scale=manifest.imaging.pixel_scale,
        stretch=manifest.imaging.stretch,
        sample=(
            f"{len(labels)} cutouts of {manifest.sample}, {int(labels.sum())} of them LSBGs"
            f"{started}; sha256 {manifest.sample_sha256}"
        ),
        recipe=training.command,
        seed=training.seed,
        limitations=training.limitations,
        licence="BSD-3-Clause",
        sha256="",
        scores=scores,
        thresholds=thresholds,
        software={name: version(name) for name in ("lsbg-classifier", "keras", "numpy")},
        prior=round(prior, 4),
        temperature=round(temperature, 4),
        architecture=training.network,
    )


def _judged(training: Training, network) -> tuple[dict, dict]:
    """Return scores and tables of thresholds on the test split, as far as there are any."""
    images, truth = training.dataset.load("test")
    if not len(truth):
        return {}, {}
    name = f"test split of {training.dataset.manifest.sample}"
    probabilities = predict(network, images)
    both = len(np.unique(truth)) == 2
    table = threshold_table(truth, probabilities) if both else {}
    return {name: score(truth, probabilities)}, {name: table} if table else {}
