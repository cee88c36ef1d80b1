"""``lsbg-train-des`` and ``lsbg-train-hsc``: from labelled positions to a weight set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from lsbg_classifier.completeness.unknown import PUBLISHED_DENSITY
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline.console import (
    ANY_PATH,
    Architecture,
    Bands,
    Batch,
    Beside,
    Connections,
    Epochs,
    LearningRate,
    Survey,
    Tiles,
    Url,
    given,
)
from pipeline.program import new_app, run_app
from pipeline.train_injected import (
    Density,
    Exclude,
    InjectedOptions,
    LsbgDensity,
    Mocks,
    Psf,
    Repeats,
    Select,
    SimulatedShare,
)
from pipeline.train_run import TrainingRequest, run_training, usual_name
from pipeline.train_sample import WantedSample


@dataclass(frozen=True)
class _Defaults:
    """In what the two commands differ."""

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
        simulated = f"for simulated samples {self.start}-simulated, for injected ones none"
        return f"{self.start}; {simulated}; {usual}"

    def start_of(self, weights: str | None, sample: str, labels: bool = False) -> str | None:
        """Return the name or path of the weights to start from; None: from scratch."""
        if weights is None and labels:
            return DEFAULT_WEIGHTS
        if weights is None and sample == "injected":
            return None
        if weights is None and self.start is not None:
            return f"{self.start}-simulated" if sample == "simulated" else self.start
        return None if weights == "none" else weights


DES = _Defaults(
    "lsbg-train-des",
    "des",
    "baseline",
    "baseline (the published split), random (another split, by --seed), simulated, injected (mocks "
    "in the tiles of the folder --tiles), a catalog, or a .npy file of cutouts",
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
    "published (640 LSBGs and 640 artifacts, split by --seed), simulated, injected (mocks in the "
    "tiles of the folder --tiles), a catalog, or a .npy file of cutouts",
    "legacysurvey:hsc2",
    "des",
    8,
    "Fine-tune weights for HSC: fetch labelled cutouts, continue from --from, judge, register.",
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
            str, typer.Option(help=f"Train on these labelled positions: {defaults.samples}.")
        ] = defaults.sample,
        label: Annotated[
            str,
            typer.Option(
                help="Read the labels from this column of a catalog, 1 for LSBGs and 0 for others; "
                "for a .npy file from this CSV with the columns index and label."
            ),
        ] = "LABEL",
        labels: Annotated[
            list[Path] | None,
            typer.Option(
                help="Train on labels given by eye instead of on --sample: a CSV file as the "
                "report's page saves it (ra,dec,label,labeller,time,chosen). Give it several "
                "times to join several files. Candidates chosen at random judge the weights, the "
                "others teach them.",
                **ANY_PATH,
            ),
        ] = None,
        whole: Annotated[
            bool,
            typer.Option(
                "--whole",
                help="Train on all of a catalog, .npy file or CSV of labels, and hold nothing back "
                "to judge the weights by.",
            ),
        ] = False,
        lists: Annotated[
            Path | None,
            typer.Option(
                help="Read the published lists from this folder instead of downloading them."
            ),
        ] = None,
        positives: Annotated[
            str,
            typer.Option(
                help="Take the LSBGs of a published sample from the published lists (published) or "
                "from VizieR (vizier)."
            ),
        ] = "published",
        type_1: Annotated[
            bool,
            typer.Option(
                "--type-1",
                help="Fetch also the artifacts of DES that a classifier of features rejected; lsbg "
                "study three-classes needs them.",
            ),
        ] = False,
        cutouts: Annotated[
            str, typer.Option(help="Take the images from this source, as for lsbg classify.")
        ] = defaults.cutouts,
        bands: Bands = None,
        survey: Survey = None,
        tiles: Tiles = None,
        url: Url = None,
        connections: Connections = None,
        surveys: Annotated[
            int,
            typer.Option(
                min=4, help="Simulate this many surveys of four tiles, with --sample simulated."
            ),
        ] = defaults.surveys,
        mocks: Mocks = None,
        density: Density = 0.5,
        repeats: Repeats = 1,
        select: Select = None,
        psf: Psf = None,
        exclude: Exclude = None,
        lsbg_density: LsbgDensity = PUBLISHED_DENSITY,
        simulated_share: SimulatedShare = 0.0,
        start: Annotated[
            str | None,
            typer.Option(
                "--from",
                help="Fine-tune these weights, a name or a file; 'none' trains from scratch.",
                show_default=defaults.shown_start,
            ),
        ] = None,
        beside: Beside = None,
        architecture: Architecture = None,
        layers: Annotated[
            str, typer.Option(help="Train these layers: all, or dense (only the last ones).")
        ] = "all",
        name: Annotated[
            str | None,
            typer.Option(
                help="Give the weights this name, for lsbg classify --weights.",
                show_default=f"{defaults.survey} for published samples, for simulated ones "
                f"my-simulated-{defaults.survey}, for injected ones my-injected-{defaults.survey}, "
                "else my- and the survey",
            ),
        ] = None,
        recipe: Annotated[
            str | None,
            typer.Option(
                help="Train by this recipe: published (the paper's), robust (augmented, for "
                "weights that must hold on other images than they have seen), or rehearsed "
                "(fine-tuning with --beside).",
                show_default="published; for simulated and injected samples from scratch robust; "
                "with --beside rehearsed",
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
                help="Make probabilities for candidates of which this fraction are LSBGs.",
                show_default="with --labels the fraction among those drawn at random, else that in "
                "training",
            ),
        ] = None,
        seed: Annotated[
            int, typer.Option(min=0, help="Use this seed for the random split and the training.")
        ] = 1,
        resume: Annotated[
            bool,
            typer.Option(
                "--resume",
                help="Continue a training that was stopped, or one that needs more --epochs.",
            ),
        ] = False,
        mixed_precision: Annotated[
            bool,
            typer.Option("--mixed-precision", help="Compute in float16, which is faster on GPUs."),
        ] = False,
        overwrite: Annotated[
            bool,
            typer.Option("--overwrite", help="Train again and replace the weights of that name."),
        ] = False,
        register: Annotated[
            bool, typer.Option(help="Copy the weights to the user's folder of weights.")
        ] = True,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run",
                help="Open the source, match the labels, print recipe, device and time, and stop.",
            ),
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    ):
        if labels and sample != defaults.sample:
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
            labels=tuple(labels or ()),
            injection=InjectedOptions(
                mocks, density, repeats, select, psf, exclude, lsbg_density, simulated_share
            ),
            usual_cutouts=defaults.cutouts,
        )
        request = TrainingRequest(
            name=name or usual_name(wanted),
            folder=folder,
            start=defaults.start_of(start, sample, bool(labels)),
            layers=layers,
            architecture=architecture,
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
        run_training(request, wanted, dry_run=dry_run, quiet=quiet)

    return app


def des():
    """Run ``lsbg-train-des``."""
    run_app(training_app(DES), DES.command)


def hsc():
    """Run ``lsbg-train-hsc``."""
    run_app(training_app(HSC), HSC.command)
