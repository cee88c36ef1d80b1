"""``lsbg-train-des`` and ``lsbg-train-hsc``: from labelled positions to a weight set."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline.console import (
    ANY_PATH,
    Bands,
    Batch,
    Beside,
    Connections,
    Epochs,
    LearningRate,
    Survey,
    Tiles,
    Url,
    command_line,
    given,
    new_app,
    run_app,
)
from pipeline.train_sample import WantedSample, make_dataset


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

    @property
    def shown_start(self) -> str:
        """Say in the help which weights are started from."""
        usual = f"with --labels {DEFAULT_WEIGHTS}"
        if self.start is None:
            return f"none; {usual}"
        return f"{self.start}; for simulated samples {self.start}-simulated; {usual}"

    def start_of(self, asked: str | None, simulated: bool, labels: bool = False) -> str | None:
        """Return the name or path of the weights to start from; None: afresh."""
        if asked is None and labels:
            return DEFAULT_WEIGHTS
        if asked is None and self.start is not None:
            return f"{self.start}-simulated" if simulated else self.start
        return None if asked == "none" else asked


DES = _Defaults(
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
"""``lsbg-train-des``."""

HSC = _Defaults(
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
"""``lsbg-train-hsc``."""


def training_app(defaults: _Defaults) -> typer.Typer:
    """Make the command of one survey, `DES` or `HSC`; stages read their options off it."""
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
        labels: Annotated[
            Path | None,
            typer.Option(
                help="Instead of --sample: a CSV of labels given by eye, as the report's page "
                "saves it (ra,dec,label,labeller,time,chosen). Those chosen at random judge the "
                "weights, the others teach them.",
                **ANY_PATH,
            ),
        ] = None,
        whole: Annotated[
            bool,
            typer.Option(
                "--whole",
                help="Train on all of a catalog, .npy file or CSV of labels, and leave none out to "
                "judge by.",
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
        tiles: Tiles = None,
        url: Url = None,
        connections: Connections = None,
        surveys: Annotated[
            int, typer.Option(min=4, help="With --sample simulated: surveys of four tiles.")
        ] = defaults.surveys,
        start: Annotated[
            str | None,
            typer.Option(
                "--from",
                help="Weights to fine-tune: a name or a file; 'none': afresh.",
                show_default=defaults.shown_start,
            ),
        ] = None,
        beside: Beside = None,
        layers: Annotated[
            str, typer.Option(help="What is trained: all layers, or the last, dense ones.")
        ] = "all",
        name: Annotated[
            str | None,
            typer.Option(
                help="Name of the weights, as for lsbg classify --weights.",
                show_default=f"{defaults.survey} for published samples, for simulated ones "
                f"my-simulated-{defaults.survey}, else my- and the survey",
            ),
        ] = None,
        recipe: Annotated[
            str | None,
            typer.Option(
                help="published (the paper's), robust (ours, augmented, for weights that shall "
                "hold on other images than they saw), or rehearsed (fine-tuning with --beside).",
                show_default="published; for simulated samples from scratch robust; with --beside "
                "rehearsed",
            ),
        ] = None,
        epochs: Epochs = None,
        batch: Batch = None,
        learning_rate: LearningRate = None,
        prior: Annotated[
            float | None,
            typer.Option(
                min=0.001,
                max=0.999,
                help="Fraction of LSBGs among the candidates that the weights are for.",
                show_default="that in training",
            ),
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
        if labels is not None and sample != defaults.sample:
            raise InputError("--labels and --sample: give one of them")
        wanted = WantedSample(
            survey=defaults.survey,
            kinds=defaults.samples,
            sample=sample,
            label=label,
            whole=whole,
            lists=lists,
            positives=positives,
            type_1=type_1,
            cutouts=cutouts,
            source_options=given(
                bands=bands, survey=survey, tiles=tiles, url=url, connections=connections
            ),
            surveys=surveys,
            seed=seed,
            labels=labels,
        )
        request = _Request(
            name=name or _usual_name(wanted),
            folder=folder,
            start=defaults.start_of(start, wanted.simulated, labels is not None),
            layers=layers,
            beside=beside,
            recipe=recipe,
            overrides=given(epochs=epochs, batch=batch, learning_rate=learning_rate),
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            register=register,
            mixed_precision=mixed_precision,
            prior=prior,
        )
        _train(request, wanted, dry_run=dry_run, quiet=quiet)

    return app


@dataclass(frozen=True)
class _Request:
    """Which weights were asked for, and how they are made."""

    name: str
    folder: Path
    start: str | None
    layers: str
    beside: Path | None
    recipe: str | None
    overrides: dict
    seed: int
    resume: bool
    overwrite: bool
    register: bool
    mixed_precision: bool
    prior: float | None


def _train(request: _Request, wanted: WantedSample, *, dry_run: bool, quiet: bool):
    start_backend()
    from lsbg_classifier.training.dataset import open_dataset
    from lsbg_classifier.training.recipes import recipe_named
    from lsbg_classifier.training.workflow import Training, check_request, make_weights
    from lsbg_classifier.weights.registry import (
        check_registrable,
        find_weights,
        register_weights,
        weights_path,
    )
    from pipeline.progress import show_progress

    afresh = wanted.simulated and request.start is None
    beside = None if request.beside is None else open_dataset(request.beside)
    usual = "rehearsed" if beside else "robust" if afresh else "published"
    recipe_name = request.recipe or usual
    recipe = replace(recipe_named(recipe_name, request.start is not None), **request.overrides)
    start = find_weights(request.start) if request.start else None
    check_request(request.name, request.layers, start)
    if request.register:
        check_registrable(request.name, request.overwrite)
    path = weights_path(request.folder, request.name)
    if path.exists() and not (request.overwrite or request.resume):
        raise InputError(f"{path}: exists already; add --overwrite to train again")
    dataset = make_dataset(wanted, request.folder / "cutouts", dry_run=dry_run, quiet=quiet)
    if dataset is None:
        return
    if start is not None and start.card.bands != dataset.manifest.imaging.bands:
        typer.echo(f"note: {start.card.name} was trained on the bands {''.join(start.card.bands)}")
    training = Training(
        name=request.name,
        description=_description(wanted, dataset, start),
        limitations=_limitations(wanted),
        command=command_line(),
        dataset=dataset,
        recipe=recipe,
        seed=request.seed,
        start=start,
        layers=request.layers,
        spare=recipe_name == "robust",
        beside=beside,
        mixed_precision=request.mixed_precision,
        prior=request.prior,
    )
    with show_progress("training steps", quiet=quiet) as progress:
        made = make_weights(training, request.folder, resume=request.resume, progress=progress)
    for test, scores in made.card.scores.items():
        typer.echo(f"{test}: accuracy {scores['accuracy']:.3f}, AUC {scores['auc']:.3f}")
    typer.echo(f"wrote {made.path}")
    if request.register:
        typer.echo(f"registered as {made.card.name!r} in {register_weights(made).path.parent}")


def _usual_name(wanted) -> str:
    """Name weights that were not named; those of the published lists alone as their survey."""
    if wanted.published:
        return wanted.survey
    named = wanted.source_options.get("survey")
    survey = wanted.survey if named is None else survey_named(named).name
    return f"my-simulated-{survey}" if wanted.simulated else f"my-{survey}"


def _description(wanted, dataset, start) -> str:
    """One line for the card."""
    images = dataset.manifest.imaging
    seen = "simulated sky only, no real image" if wanted.simulated else wanted.name
    tuned = f", fine-tuned from {start.card.name}" if start else ""
    return f"{images.survey} cutouts ({', '.join(images.bands)}); has seen {seen}{tuned}"


def _limitations(wanted) -> str:
    if wanted.simulated:
        return (
            "trained on simulated sky alone: expect lower accuracy on real images than its "
            "simulated scores say; look at what it finds, or train on your survey's own labels"
        )
    return "made for candidates selected and imaged like those of its sample; others are untested"


def des():
    """Run ``lsbg-train-des``."""
    run_app(training_app(DES), DES.command)


def hsc():
    """Run ``lsbg-train-hsc``."""
    run_app(training_app(HSC), HSC.command)
