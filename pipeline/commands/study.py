"""``lsbg study``: the paper's studies on labelled cutouts."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import ANY_PATH, Batch, Beside, Epochs, Figures, LearningRate, given, say
from pipeline.study import FOLDS, FRACTIONS, SIDES, SPLITS, STUDIES


def study(
    name: Annotated[str, typer.Argument(metavar="STUDY", help=f"{', '.join(STUDIES)}.")],
    cutouts: Annotated[
        Path,
        typer.Argument(
            metavar="CUTOUTS", help="Folder that a training made, or its cutouts.", **ANY_PATH
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for trainings and table.", **ANY_PATH)
    ],
    start: Annotated[
        str | None, typer.Option("--from", help="transfer, folds: weights to fine-tune.")
    ] = None,
    beside: Beside = None,
    count: Annotated[
        int | None,
        typer.Option(min=2, help="splits, folds: how many.", show_default=f"{SPLITS}, {FOLDS}"),
    ] = None,
    fractions: Annotated[
        str | None,
        typer.Option(help="label-noise: of wrong labels.", show_default=FRACTIONS),
    ] = None,
    sides: Annotated[
        str | None,
        typer.Option(help="label-noise: whose: both, lsbgs, others.", show_default=SIDES),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="published, robust or rehearsed.",
            show_default="published; with --beside rehearsed",
        ),
    ] = None,
    epochs: Epochs = None,
    batch: Batch = None,
    learning_rate: LearningRate = None,
    size: Annotated[
        int | None,
        typer.Option(min=2, help="Cutouts to train on, as many of each class.", show_default="all"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every training.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a study that was stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start again in a folder that is not empty.")
    ] = False,
    figures: Figures = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
):
    """Repeat a study of the paper on labelled cutouts: several trainings, one table."""
    from pipeline.study import run_study

    say(
        run_study(
            name,
            cutouts,
            folder,
            recipe=recipe,
            overrides=given(epochs=epochs, batch=batch, learning_rate=learning_rate),
            own=given(start=start, count=count, fractions=fractions, sides=sides, beside=beside),
            seed=seed,
            size=size,
            resume=resume,
            overwrite=overwrite,
            quiet=quiet,
            figures=figures,
        )
    )
