"""``lsbg evaluate``: weights judged on labelled cutouts."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import ANY_PATH, Figures, say


def evaluate(
    weights: Annotated[str, typer.Argument(help="Trained weights: a name or a file.")],
    cutouts: Annotated[
        Path,
        typer.Argument(
            metavar="CUTOUTS",
            help="Folder of labelled cutouts that training made, or a .npy file with --labels.",
            **ANY_PATH,
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", **ANY_PATH)],
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV of index and label (1, 0 or empty) for a .npy file.", **ANY_PATH),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="Apply the temperature on the card.")
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Set an SVM and a random forest on the dataset's SourceExtractor columns beside.",
        ),
    ] = False,
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="The same, their parameters chosen by cross-validation on the validation split.",
        ),
    ] = False,
    figures: Figures = False,
):
    """Judge weights on labelled cutouts: scores with intervals, ROC, reliability, Grad-CAM."""
    from lsbg_classifier import load_classifier

    classifier = load_classifier(weights)
    from lsbg_classifier.training.assessment import LabelledCutouts, write_evaluation
    from lsbg_classifier.training.baselines import baseline_probabilities
    from lsbg_classifier.training.dataset import open_dataset

    labelled = LabelledCutouts.read(cutouts, labels, split)
    others = {}
    if baselines or search:
        others = baseline_probabilities(open_dataset(cutouts), split=split, search=search)
    found = write_evaluation(
        classifier, labelled, folder, calibrated=calibrated, baselines=others, pdf=figures
    )
    say([*found.to_markdown().splitlines(), "", f"wrote {folder}"])
