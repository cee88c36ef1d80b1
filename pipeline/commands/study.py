"""``lsbg study``: the paper's studies on labelled cutouts."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import (
    ANY_PATH,
    Architecture,
    Batch,
    Beside,
    Epochs,
    Figures,
    LearningRate,
    given,
    say,
)
from pipeline.study import FOLDS, FRACTIONS, SIDES, SPLITS, STUDIES


def study(
    name: Annotated[
        str, typer.Argument(metavar="STUDY", help=f"Study to repeat: {', '.join(STUDIES)}.")
    ],
    cutouts: Annotated[
        Path,
        typer.Argument(
            metavar="CUTOUTS",
            help="Folder that a training made, or the folder of its cutouts.",
            **ANY_PATH,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder to write the trainings and the table into.", **ANY_PATH
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option("--from", help="Fine-tune these weights; for the studies transfer and folds."),
    ] = None,
    beside: Beside = None,
    architecture: Architecture = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Make this many splits or folds; for the studies splits and folds.",
            show_default=f"{SPLITS}, {FOLDS}",
        ),
    ] = None,
    fractions: Annotated[
        str | None,
        typer.Option(
            help="Make these fractions of the labels wrong, separated by commas; for the study "
            "label-noise.",
            show_default=FRACTIONS,
        ),
    ] = None,
    sides: Annotated[
        str | None,
        typer.Option(
            help="Make labels of these classes wrong: both, lsbgs, others, or several of them "
            "separated by commas; for the study label-noise.",
            show_default=SIDES,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Train by this recipe: published, robust or rehearsed.",
            show_default="published; with --beside rehearsed",
        ),
    ] = None,
    epochs: Epochs = None,
    batch: Batch = None,
    learning_rate: LearningRate = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train on this many cutouts, the same number of each class.",
            show_default="all",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Use this seed for every training.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a study that was stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start again in a folder that is not empty.")
    ] = False,
    figures: Figures = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
):
    """Repeat a study of the paper on labelled cutouts: several trainings, one table."""
    from pipeline.study import StudyRequest, run_study

    request = StudyRequest(
        name,
        cutouts,
        folder,
        recipe=recipe,
        overrides=given(epochs=epochs, batch=batch, learning_rate=learning_rate),
        own=given(start=start, count=count, fractions=fractions, sides=sides, beside=beside),
        architecture=architecture,
        seed=seed,
        size=size,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
        figures=figures,
    )
    say(run_study(request))
