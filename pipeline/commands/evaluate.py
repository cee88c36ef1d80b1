"""``lsbg evaluate``: weights judged on labelled cutouts."""

from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from pipeline.console import ANY_PATH, Figures, say


def evaluate(
    weights: Annotated[str, typer.Argument(help="Trained weights: a name or a file.")],
    cutouts: Annotated[
        Path,
        typer.Argument(
            metavar="CUTOUTS",
            help="Folder of labelled cutouts that a training made, or a .npy file with --labels.",
            **ANY_PATH,
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", **ANY_PATH)],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Read the labels of a .npy file from this CSV with the columns index and label "
            "(1, 0 or empty).",
            **ANY_PATH,
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Judge the weights by this split of the folder: train, validation or test."
        ),
    ] = "test",
    calibrated: Annotated[
        bool,
        typer.Option("--calibrated", help="Apply the temperature on the card of the weights."),
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Compare with a support-vector machine and a random forest, trained on the "
            "SourceExtractor columns of the same cutouts.",
        ),
    ] = False,
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Compare as with --baselines, and choose their parameters by cross-validation on "
            "the validation split.",
        ),
    ] = False,
    figures: Figures = False,
):
    """Judge weights on labelled cutouts: scores with intervals, ROC, reliability, Grad-CAM."""
    from lsbg_classifier import load_classifier

    classifier = load_classifier(weights)
    from lsbg_classifier.training.assessment import LabelledCutouts, seen_notes, write_evaluation
    from lsbg_classifier.training.baselines import baseline_probabilities
    from lsbg_classifier.training.dataset import open_dataset
    from lsbg_classifier.weights.registry import find_weights

    labelled = LabelledCutouts.read(cutouts, labels, split)
    others = {}
    if baselines or search:
        if labels is not None:
            raise InputError(
                f"{cutouts}: has no columns for --baselines; name the folder of a training whose "
                "--sample was a catalog"
            )
        others = baseline_probabilities(open_dataset(cutouts), split=split, search=search)
    notes = seen_notes(find_weights(weights), labelled)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    evaluation = write_evaluation(
        classifier,
        labelled,
        folder,
        calibrated=calibrated,
        baselines=others,
        notes=notes,
        pdf=figures,
    )
    say([*evaluation.to_markdown().splitlines(), "", f"wrote {folder}"])
