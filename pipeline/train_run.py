"""One training as the commands do it: check, make the dataset, train, judge, register."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend
from lsbg_classifier.surveys import survey_named
from pipeline.console import command_line
from pipeline.train_injected import limits_of_injected
from pipeline.train_sample import WantedSample, make_dataset, plan_sample, prior_of_labels

if TYPE_CHECKING:  # these load Keras, which a command does only where it needs it
    from lsbg_classifier.training.dataset import CutoutDataset
    from lsbg_classifier.training.recipes import Recipe
    from lsbg_classifier.weights.registry import WeightSet

_PRIORS = (0.001, 0.999)
"""Smallest and largest fraction of LSBGs that weights are made for."""


@dataclass(frozen=True)
class TrainingRequest:
    """The weights to train, and how.

    Attributes
    ----------
    name : str
        Of the weights.
    folder : Path
        Gets cutouts, checkpoint and weights.
    start : str, optional
        Name or path of the weights to fine-tune; none: from scratch.
    layers : str
        ``all`` or ``dense``.
    architecture : str, optional
        Network to build; none: the usual one, or that of the weights to fine-tune.
    beside : Path, optional
        Folder of another training, whose cutouts make up half of every batch.
    recipe : str, optional
        Name of the recipe; none: what suits the sample.
    overrides : dict
        Fields of the recipe to replace.
    seed : int
    resume, overwrite, register, mixed_precision : bool
        As in the command.
    prior : float, optional
        Fraction of LSBGs among the candidates that the weights are for; none: that of the labels
        drawn at random, or else of what is trained on.
    """

    name: str
    folder: Path
    start: str | None
    layers: str
    architecture: str | None
    beside: Path | None
    recipe: str | None
    overrides: dict
    seed: int
    resume: bool
    overwrite: bool
    register: bool
    mixed_precision: bool
    prior: float | None


def run_training(request: TrainingRequest, wanted: WantedSample, *, dry_run: bool, quiet: bool):
    """Train, judge and register weights, and print the scores on standard output.

    Parameters
    ----------
    request : TrainingRequest
    wanted : WantedSample
    dry_run : bool
        Open the source, match the labels, say how long it would take, and write nothing.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        For everything that a user can correct.
    """
    start_backend()
    from lsbg_classifier.training.workflow import make_weights
    from lsbg_classifier.weights.registry import register_weights
    from pipeline.progress import show_progress

    method = _method(request, wanted)
    _check_outputs(request)
    if dry_run:
        _say_plan(method, plan_sample(wanted), request)
        return
    dataset = make_dataset(wanted, request.folder / "cutouts", quiet=quiet)
    estimated = None if request.prior is not None else prior_of_labels(wanted, dataset)
    training = _training(request, wanted, method, dataset, estimated)
    typer.echo(f"prior of the weights: {_prior_text(request.prior, estimated)}")
    for note in _notes(method.start, dataset.manifest.imaging):
        typer.echo(f"note: {note}")
    with show_progress("training steps", quiet=quiet) as progress:
        weight_set = make_weights(
            training, request.folder, resume=request.resume, progress=progress
        )
    for test, scores in weight_set.card.scores.items():
        typer.echo(f"{test}: {_scores_text(scores)}")
    typer.echo(f"wrote {weight_set.path}")
    if request.register:
        typer.echo(
            f"registered as {weight_set.card.name!r} in {register_weights(weight_set).path.parent}"
        )


@dataclass(frozen=True)
class _Method:
    """How weights are trained: recipe, its name, weights to start from, second sample."""

    recipe: "Recipe"
    recipe_name: str
    start: "WeightSet | None"
    beside: "CutoutDataset | None"


def _method(request: TrainingRequest, wanted: WantedSample) -> _Method:
    from lsbg_classifier.training.dataset import open_dataset
    from lsbg_classifier.training.recipes import recipe_named
    from lsbg_classifier.training.workflow import check_request
    from lsbg_classifier.weights.registry import find_weights

    from_scratch = (wanted.simulated or wanted.injected) and request.start is None
    beside = None if request.beside is None else open_dataset(request.beside)
    usual = "rehearsed" if beside else "robust" if from_scratch else "published"
    name = request.recipe or usual
    recipe = replace(recipe_named(name, request.start is not None), **request.overrides)
    start = find_weights(request.start) if request.start else None
    check_request(request.name, request.layers, start, request.architecture)
    return _Method(recipe, name, start, beside)


def _check_outputs(request: TrainingRequest):
    """Refuse to replace weights, or the files of a training that was stopped."""
    from lsbg_classifier.weights.registry import check_registrable, weights_path

    go_on = request.overwrite or request.resume
    checkpoint = request.folder / "checkpoint.json"
    if request.register:  # a training that goes on replaces what it registered itself
        goes_on = request.resume and checkpoint.exists()
        check_registrable(request.name, request.overwrite or goes_on)
    path = weights_path(request.folder, request.name)
    if path.exists() and not go_on:
        raise InputError(
            f"{path}: exists already; add --overwrite to train again, or --resume with more "
            "--epochs to train on"
        )
    if checkpoint.exists() and not go_on:
        raise InputError(
            f"{request.folder}: holds a training that was stopped; add --resume to go on with it, "
            "or --overwrite to start again"
        )


def _training(request: TrainingRequest, wanted: WantedSample, method: _Method, dataset, estimated):
    from lsbg_classifier.training.label_noise import unlabelled_fraction
    from lsbg_classifier.training.workflow import Training

    return Training(
        name=request.name,
        description=_description(wanted, dataset, method.start, estimated),
        limitations=_limitations(wanted, method.start, dataset),
        command=command_line(),
        dataset=dataset,
        recipe=method.recipe,
        seed=request.seed,
        start=method.start,
        layers=request.layers,
        architecture=request.architecture,
        spare=method.recipe_name == "robust",
        beside=method.beside,
        mixed_precision=request.mixed_precision,
        prior=request.prior if estimated is None else float(np.clip(estimated.value, *_PRIORS)),
        unlabelled=unlabelled_fraction(dataset.folder),
    )


def _prior_text(asked_for: float | None, estimated) -> str:
    """Say which part of the candidates the probabilities are for, and how that is known."""
    if asked_for is not None:
        return f"{asked_for:g}, as asked for"
    if estimated is not None:
        return str(estimated)
    return "the fraction of LSBGs among what is trained on"


def _say_plan(method: _Method, planned, request: TrainingRequest):
    """Say how and on what would be trained, and how long it would take."""
    import keras

    from lsbg_classifier.network import build_network, load_network
    from lsbg_classifier.networks.registry import DEFAULT_NETWORK
    from lsbg_classifier.training.step_time import device_name, seconds_per_step

    recipe = method.recipe
    start = "from scratch" if method.start is None else f"starting from {method.start.card.name}"
    typer.echo(f"recipe: {method.recipe_name}, {start} ({recipe.describe()})")
    typer.echo(
        f"device: {device_name()}; backend: {keras.backend.backend()}, Keras {keras.version()}"
    )
    if planned.imaging is not None:
        for note in _notes(method.start, planned.imaging):
            typer.echo(f"note: {note}")
    if request.mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    if method.start is None:
        network = build_network(architecture=request.architecture or DEFAULT_NETWORK)
    else:
        network = load_network(method.start)
    seconds = seconds_per_step(network, recipe)
    line = f"time: about {1000 * seconds:.0f} ms a step"
    if planned.count:
        # half of every batch comes from the other sample
        cutouts = recipe.batch // 2 if method.beside else recipe.batch
        steps = -(-planned.count // cutouts)
        minutes = steps * recipe.epochs * seconds / 60
        line += f", {steps} steps an epoch, {minutes:.1f} minutes for {recipe.epochs} epochs"
    typer.echo(line)


def _notes(start, imaging) -> list[str]:
    """Say where the weights that are started from were made for other images."""
    if start is None or not (differences := start.card.imaging.differences(imaging)):
        return []
    return [f"{start.card.name} was made for other images: {'; '.join(differences)}"]


def _scores_text(scores: dict[str, float]) -> str:
    """Write the scores of a card, also which of them are not defined."""
    from lsbg_classifier.training.intervals import METRICS, TITLES
    from lsbg_classifier.training.score_tables import score_text

    texts = []
    for name in METRICS:
        values = [scores.get(key, float("nan")) for key in (name, f"{name}_low", f"{name}_high")]
        texts.append(f"{TITLES.get(name, name)} {score_text(values)}")
    lsbgs, count = int(scores["lsbgs"]), int(scores["count"])
    return f"{lsbgs} LSBGs and {count - lsbgs} others: {', '.join(texts)}"


def usual_name(wanted: WantedSample) -> str:
    """Name weights that were not named; those of the published lists alone as their survey."""
    if wanted.published:
        return wanted.survey
    named = wanted.source_options.get("survey")
    survey = wanted.survey if named is None else survey_named(named).name
    kind = "simulated-" if wanted.simulated else "injected-" if wanted.injected else ""
    return f"my-{kind}{survey}"


def _description(wanted, dataset, start, prior) -> str:
    """One line for the card."""
    images = dataset.manifest.imaging
    sample = "simulated sky only, no real image" if wanted.simulated else wanted.name
    tuned = f", fine-tuned from {start.card.name}" if start else ""
    known = f"; prior {prior}" if prior else ""
    return f"{images.survey} cutouts ({', '.join(images.bands)}); has seen {sample}{tuned}{known}"


def _limitations(wanted, start, dataset) -> str:
    own = limits_of_injected(dataset.folder) if wanted.injected else _limits_of_sample(wanted)
    return "; ".join([own, *_notes(start, dataset.manifest.imaging)])


def _limits_of_sample(wanted) -> str:
    if wanted.simulated:
        return (
            "trained on simulated sky alone: expect lower accuracy on real images than its "
            "simulated scores say; look at what it finds, or train on your survey's own labels"
        )
    return "made for candidates selected and imaged like those of its sample; others are untested"
