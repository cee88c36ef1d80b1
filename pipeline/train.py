"""``lsbg-train-des`` and ``lsbg-train-hsc``: from labelled positions to a weight set."""

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend
from lsbg_classifier.training.samples import FRACTIONS
from pipeline.console import Bands, Connections, Survey, Url, new_app, run_app


@dataclass(frozen=True)
class _Defaults:
    """What the two commands do differently."""

    command: str
    survey: str
    sample: str
    samples: str
    cutouts: str
    start: str | None
    surveys: int
    help: str


_DES = _Defaults(
    "lsbg-train-des",
    "des",
    "baseline",
    "baseline (the published split), random (another one, by --seed), simulated, a catalog, or a "
    ".npy file of cutouts",
    "legacysurvey:des-dr1",
    None,
    48,
    "Train weights for DES: fetch labelled cutouts, train, judge, register.",
)
_HSC = _Defaults(
    "lsbg-train-hsc",
    "hsc",
    "published",
    "published (640 LSBGs and 640 artifacts, split by --seed), simulated, a catalog, or a .npy "
    "file of cutouts",
    "legacysurvey:hsc2",
    "des",
    8,
    "Fine-tune weights for HSC: fetch labelled cutouts, train on from --from, judge, register.",
)


def _app(defaults: _Defaults) -> typer.Typer:
    app = new_app(defaults.help)

    @app.command(help=defaults.help)
    def train(
        folder: Annotated[
            Path, typer.Argument(metavar="OUT", help="Folder for cutouts, checkpoint and weights.")
        ],
        sample: Annotated[
            str, typer.Option(help=f"Labelled positions: {defaults.samples}.")
        ] = defaults.sample,
        label: Annotated[
            str,
            typer.Option(
                help="Column of a catalog: 1 = LSBG, 0 = not; for a .npy file a CSV of index and "
                "label."
            ),
        ] = "LABEL",
        whole: Annotated[
            bool,
            typer.Option(
                "--whole",
                help="Train on all of a catalog or .npy file, and leave none out to judge by.",
            ),
        ] = False,
        lists: Annotated[
            Path | None,
            typer.Option(help="Folder with the published lists; else they are downloaded once."),
        ] = None,
        positives: Annotated[
            str, typer.Option(help="LSBGs of a published sample: published or vizier.")
        ] = "published",
        type_1: Annotated[
            bool,
            typer.Option(
                "--type-1",
                help="Also fetch the artifacts of DES that failed a classifier of features, for "
                "lsbg study three-classes.",
            ),
        ] = False,
        cutouts: Annotated[
            str, typer.Option(help="Where images come from, as for lsbg classify.")
        ] = defaults.cutouts,
        bands: Bands = None,
        survey: Survey = None,
        url: Url = None,
        connections: Connections = None,
        surveys: Annotated[
            int, typer.Option(min=4, help="With --sample simulated: surveys of four tiles.")
        ] = defaults.surveys,
        start: Annotated[
            str | None,
            typer.Option("--from", help="Weights to fine-tune: a name or a file; 'none': afresh."),
        ] = defaults.start,
        layers: Annotated[
            str, typer.Option(help="What is trained: all layers, or the last, dense ones.")
        ] = "all",
        name: Annotated[
            str | None,
            typer.Option(
                help="Name of the weights, as for lsbg classify --weights.",
                show_default=f"{defaults.survey}, or {defaults.survey}-simulated",
            ),
        ] = None,
        recipe: Annotated[
            str | None,
            typer.Option(
                help="published (the paper's), or robust (ours, augmented, for weights that shall "
                "hold on other images than they saw).",
                show_default="published; for simulated samples from scratch robust",
            ),
        ] = None,
        epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
        batch: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
        learning_rate: Annotated[
            float | None, typer.Option(min=0, help="Instead of the recipe's.")
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the split and the training.")] = 1,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on with a training that was stopped.")
        ] = False,
        mixed_precision: Annotated[
            bool, typer.Option("--mixed-precision", help="Compute in float16, on a GPU.")
        ] = False,
        overwrite: Annotated[
            bool,
            typer.Option("--overwrite", help="Train again, replacing weights of that name."),
        ] = False,
        register: Annotated[
            bool, typer.Option(help="Copy the weights to the user's folder of weights.")
        ] = True,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Say what would be trained on, and stop.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    ):
        given = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate}
        options = {"bands": bands, "survey": survey, "url": url, "connections": connections}
        _train(
            _Request(
                defaults,
                folder,
                sample,
                label,
                lists,
                cutouts,
                {key: value for key, value in options.items() if value is not None},
                surveys,
                None if start in (None, "none") else start,
                layers,
                recipe,
                positives,
                type_1,
                whole,
                name or defaults.survey + "-simulated" * (sample == "simulated"),
                seed,
            ),
            {key: value for key, value in given.items() if value is not None},
            resume=resume,
            overwrite=overwrite,
            mixed_precision=mixed_precision,
            register=register,
            dry_run=dry_run,
            quiet=quiet,
        )

    return app


@dataclass(frozen=True)
class _Request:
    """Which sample and which weights were asked for."""

    defaults: _Defaults
    folder: Path
    sample: str
    label: str
    lists: Path | None
    cutouts: str
    source_options: dict
    surveys: int
    start: str | None
    layers: str
    recipe: str | None
    positives: str
    type_1: bool
    whole: bool
    name: str
    seed: int

    def fractions(self) -> tuple[float, ...]:
        """Return the parts of a sample of one's own to train on, validate by and test by."""
        return (1.0, 0.0, 0.0) if self.whole else FRACTIONS

    def recipe_name(self) -> str:
        """Return the recipe asked for, or the one for this sample and start."""
        afresh = self.sample == "simulated" and self.start is None
        return self.recipe or ("robust" if afresh else "published")


def _train(
    request: _Request,
    overrides,
    *,
    resume,
    overwrite,
    mixed_precision,
    register,
    dry_run,
    quiet,
):
    start_backend()
    from lsbg_classifier.training.recipes import recipe_named
    from lsbg_classifier.training.workflow import Training, check_request, make_weights
    from lsbg_classifier.weights.registry import (
        check_registrable,
        find_weights,
        register_weights,
        weights_path,
    )
    from pipeline.progress import show_progress

    recipe = replace(recipe_named(request.recipe_name(), request.start is not None), **overrides)
    start = find_weights(request.start) if request.start else None
    check_request(request.name, request.layers, start)
    if register:
        check_registrable(request.name, overwrite)
    if weights_path(request.folder, request.name).exists() and not (overwrite or resume):
        raise InputError(
            f"{weights_path(request.folder, request.name)}: exists already; add --overwrite to "
            "train again"
        )
    dataset = _dataset(request, dry_run, quiet)
    if dataset is None:
        return
    if start is not None and start.card.bands != dataset.manifest.imaging.bands:
        typer.echo(f"note: {start.card.name} was trained on the bands {''.join(start.card.bands)}")
    training = Training(
        name=request.name,
        description=_description(request, dataset, start),
        limitations=_limitations(request),
        command=_command_line(),
        dataset=dataset,
        recipe=recipe,
        seed=request.seed,
        start=start,
        layers=request.layers,
        spare=request.recipe_name() == "robust",
        mixed_precision=mixed_precision,
    )
    with show_progress("training steps", quiet=quiet) as progress:
        made = make_weights(training, request.folder, resume=resume, progress=progress)
    for test, scores in made.card.scores.items():
        typer.echo(f"{test}: accuracy {scores['accuracy']:.3f}, AUC {scores['auc']:.3f}")
    typer.echo(f"wrote {made.path}")
    if register:
        typer.echo(f"registered as {made.card.name!r} in {register_weights(made).path.parent}")


def _dataset(request: _Request, dry_run: bool, quiet: bool):
    """Make or continue the dataset; None after a dry run."""
    from lsbg_classifier import open_source
    from lsbg_classifier.training.dataset import build_dataset
    from lsbg_classifier.training.simulated import simulated_dataset
    from pipeline.progress import show_progress

    folder = request.folder / "cutouts"
    if request.sample == "simulated":
        if dry_run:
            typer.echo(f"{request.surveys} simulated surveys of {request.defaults.survey}")
            return None
        with show_progress("surveys", quiet=quiet) as progress:
            return simulated_dataset(
                folder,
                survey=request.defaults.survey,
                surveys=request.surveys,
                processes=os.cpu_count() or 1,
                progress=progress,
            )
    if request.sample.endswith(".npy"):
        return _stored_cutouts(request, folder, dry_run)
    sample = _sample(request)
    for split in ("train", "validation", "test"):
        typer.echo("{}: {} LSBGs, {} others".format(split, *sample.count(split)))
    for note in sample.notes:
        typer.echo(f"note: {note}")
    if dry_run:
        return None
    source = open_source(request.cutouts, **request.source_options)
    with show_progress("cutouts", quiet=quiet) as progress:
        dataset = build_dataset(folder, sample, source, progress=progress)
    if failed := len(dataset.failed()):
        typer.echo(f"note: {failed} without a cutout are left out, see {folder / 'failed.csv'}")
    return dataset


def _stored_cutouts(request: _Request, folder: Path, dry_run: bool):
    """Make the dataset of a file of cutouts and its labels; None after a dry run."""
    from lsbg_classifier.surveys import survey_named
    from lsbg_classifier.training.assessment import LabelledCutouts
    from lsbg_classifier.training.dataset import store_cutouts
    from lsbg_classifier.training.samples import random_splits

    found = LabelledCutouts.read(Path(request.sample), Path(request.label))
    splits = random_splits(found.labels, seed=request.seed, fractions=request.fractions())
    lsbgs = int(found.labels.sum())
    typer.echo(f"{lsbgs} LSBGs, {len(found.labels) - lsbgs} others")
    if dry_run:
        return None
    options = request.source_options
    survey = survey_named(options.get("survey", request.defaults.survey))
    imaging = survey.imaging(tuple(options.get("bands", "grz")))
    return store_cutouts(folder, found.name, found.images, found.labels, splits, imaging)


def _sample(request: _Request):
    from lsbg_classifier.training.published import ListStore, des_sample, hsc_sample
    from lsbg_classifier.training.samples import sample_of_catalog
    from lsbg_classifier.training.vizier import vizier_lsbgs

    if request.positives not in ("published", "vizier"):
        raise InputError(f"--positives is published or vizier, not {request.positives}")
    store = ListStore(request.lists)
    is_des = request.defaults is _DES
    if request.sample in (("baseline", "random") if is_des else ("published",)):
        galaxies = None
        if request.positives == "vizier":
            galaxies = vizier_lsbgs(request.defaults.survey)
        common = {"seed": request.seed, "positives": galaxies}
        if is_des:
            return des_sample(store, split=request.sample, type_1=request.type_1, **common)
        return hsc_sample(store, **common)
    if not Path(request.sample).exists():
        raise InputError(f"{request.sample}: no such sample; choose {request.defaults.samples}")
    return sample_of_catalog(
        Path(request.sample), request.label, seed=request.seed, fractions=request.fractions()
    )


def _description(request, dataset, start) -> str:
    """One line for the card."""
    images = dataset.manifest.imaging
    seen = "simulated sky only, no real image" if request.sample == "simulated" else request.sample
    tuned = f", fine-tuned from {start.card.name}" if start else ""
    return f"{images.survey} cutouts ({', '.join(images.bands)}); has seen {seen}{tuned}"


def _limitations(request) -> str:
    if request.sample == "simulated":
        return (
            "trained on simulated sky alone: expect lower accuracy on real images than its "
            "simulated scores say; look at what it finds, or train on your survey's own labels"
        )
    return "made for candidates selected and imaged like those of its sample; others are untested"


def _command_line() -> str:
    """Return the command as it was typed, without the path of the program."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def des():
    """Run ``lsbg-train-des``."""
    run_app(_app(_DES), _DES.command)


def hsc():
    """Run ``lsbg-train-hsc``."""
    run_app(_app(_HSC), _HSC.command)
