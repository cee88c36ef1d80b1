"""The ``lsbg`` command. Each subcommand translates its options and calls one function."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from catalogs.flags import Flag
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
    Url,
    given,
    new_app,
    run_app,
)
from pipeline.study import FOLDS, FRACTIONS, SIDES, SPLITS, STUDIES

app = new_app("Probabilities for low-surface-brightness galaxy candidates, in their own catalog.")

_Table = Annotated[
    str | None,
    typer.Option(help="FITS extension or VOTable table, by name or number.", metavar="NAME|N"),
]
_Ra = Annotated[str | None, typer.Option(help="Column of right ascension.")]
_Dec = Annotated[str | None, typer.Option(help="Column of declination.")]
_PositionUnit = Annotated[
    str | None, typer.Option(help="Unit of the position, where the table has none: deg, rad.")
]
_Figures = Annotated[
    bool, typer.Option("--figures", help="Write every figure as PDF too, for papers.")
]


def _show_version(wanted: bool):
    if wanted:
        typer.echo(f"lsbg_classifier {version('lsbg-classifier')}")
        raise typer.Exit


@app.callback()
def lsbg(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which.")
    ] = False,
):
    """Probabilities for low-surface-brightness galaxy candidates, in their own catalog."""


@app.command(short_help="Add probabilities and flags to a catalog.")
def classify(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Candidates: FITS table, FITS_LDAC, Parquet file or folder, HATS catalog, "
            "VOTable, ECSV, or a URL of one.",
        ),
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="The same catalog with two more columns.")
    ],
    cutouts: Annotated[
        str,
        typer.Option(
            help="Where images come from: tiles:FOLDER|URL, legacysurvey:LAYER, hips:ID. The sky "
            "viewer's layer of DES is legacysurvey:des-dr1."
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="Trained weights: a name (see: lsbg weights) or a file.")
    ] = DEFAULT_WEIGHTS,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Probability that the summary counts from."),
    ] = None,
    table: _Table = None,
    ra: _Ra = None,
    dec: _Dec = None,
    position_unit: _PositionUnit = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Score only the rows that a cut keeps: des or hsc (the published cuts), a file "
            'with a condition a line, or an expression such as "FLUX_RADIUS_G * 0.263 > 2.5".',
            metavar="des|hsc|FILE|EXPRESSION",
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(help="Names of the new columns: auto (as in the input), upper, lower, rubin."),
    ] = "auto",
    bands: Bands = None,
    survey: Survey = None,
    url: Url = None,
    connections: Connections = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A running Dask scheduler, such as tcp://host:8786.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes to start instead of threads.")
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of the jobs of Slurm to start as workers; --dry-run prints the script.",
            **ANY_PATH,
        ),
    ] = None,
    chunk_size: Annotated[
        int,
        typer.Option(min=1, help="Candidates in a unit of work; those of one tile stay together."),
    ] = 256,
    keep_cutouts: Annotated[
        bool,
        typer.Option(
            "--keep-cutouts",
            help="Keep the cutouts in the folder OUTPUT.cutouts, about 9 kB each: for a report, "
            "or for other weights, as --cutouts kept:OUTPUT.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")
    ] = False,
    overwrite_columns: Annotated[
        bool,
        typer.Option("--overwrite-columns", help="Replace our columns if INPUT has them already."),
    ] = False,
    vo_metadata: Annotated[
        bool,
        typer.Option(
            "--vo-metadata", help="Describe the columns of Parquet in a VOTable too (VOParquet)."
        ),
    ] = False,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch", help="Score images that the weights were not made for; be careful."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
):
    """Write a catalog again, with the probability that each candidate is an LSBG, and a flag."""
    from pipeline.annotate import run
    from pipeline.describe import describe_job
    from pipeline.job import Options, prepare
    from pipeline.kept import kept_folder
    from pipeline.progress import show_progress

    options = Options(
        weights=weights,
        threshold=threshold,
        table=table,
        ra=ra,
        dec=dec,
        position_unit=position_unit,
        select=select,
        style=style,
        source_options=given(bands=bands, survey=survey, url=url, connections=connections),
        scheduler=scheduler,
        workers=workers,
        cluster=cluster,
        chunk_size=chunk_size,
        keep_cutouts=keep_cutouts,
        resume=resume,
        overwrite=overwrite,
        overwrite_columns=overwrite_columns,
        vo_metadata=vo_metadata,
        allow_mismatch=allow_mismatch,
    )
    job = prepare(input_path, output, cutouts, options)
    if dry_run:
        _say(describe_job(job))
        return
    with show_progress("candidates", quiet=quiet) as progress:
        summary = run(job, progress)
    if not quiet:
        kept = f" and {kept_folder(job.output)}" if keep_cutouts else ""
        _say([*summary.lines(), f"wrote {output}{kept}"])


@app.command(short_help="Make a small simulated survey.")
def simulate(
    survey: Annotated[str, typer.Argument(help="Survey to imitate: des or hsc.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", **ANY_PATH)],
    tiles: Annotated[int, typer.Option(min=1, help="Coadd tiles to make.")] = 2,
    tile_size: Annotated[int, typer.Option(min=300, help="Side of a tile in pixels.")] = 3000,
    lsbgs: Annotated[int, typer.Option(min=0, help="LSBGs per 3000x3000 pixels.")] = 110,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same sky.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a simulated survey in OUT.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made, and stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
):
    """Make a small simulated survey: coadd tiles, candidates found in them, and the truth."""
    from lsbg_classifier.simulation.survey import simulate_survey
    from pipeline.progress import show_progress

    if dry_run:
        _say(
            [
                f"{tiles} tiles of {tile_size}x{tile_size} pixels in g, r and z, "
                f"candidates.fits and truth.fits, in {folder}"
            ]
        )
        return
    with show_progress("tiles", quiet=quiet) as progress:
        made = simulate_survey(
            survey,
            folder,
            tiles=tiles,
            tile_size=tile_size,
            lsbgs=lsbgs,
            seed=seed,
            processes=os.cpu_count() or 1,
            overwrite=overwrite,
            progress=progress,
        )
    if not quiet:
        _say(
            [
                f"{made.candidate_count} candidates, {made.lsbg_count} of them LSBGs",
                f"wrote {made.tiles}, {made.candidates} and {made.truth}",
            ]
        )


@app.command()
def weights(
    name: Annotated[str | None, typer.Argument(help="Show the whole card of this set.")] = None,
):
    """List the trained weights, or show what one set has seen."""
    from pipeline.describe import describe_card, describe_weights

    _say(describe_weights() if name is None else describe_card(name))


@app.command()
def flags(
    value: Annotated[int | None, typer.Argument(help="Decode this value of the column.")] = None,
):
    """Explain the flag column, or decode one value of it."""
    from pipeline.describe import describe_flags

    if value is not None and not 0 <= value < 2 * max(Flag):
        raise InputError(f"flags are between 0 and {2 * max(Flag) - 1}, not {value}")
    _say(describe_flags(value))


@app.command(short_help="Show a run: summary, gallery and labelling, in any browser.")
def report(
    annotated: Annotated[
        Path, typer.Argument(help="A catalog that lsbg classify wrote.", **ANY_PATH)
    ],
    folder: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder to write; open index.html in it.", **ANY_PATH),
    ],
    cutouts: Annotated[
        str | None,
        typer.Option(help="Where images come from that were not kept, as for classify."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="FITS table of the same rows, with LABEL (1 = LSBG, 0 = not).", **ANY_PATH
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV of labels that the labelling page exported.", **ANY_PATH),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="With --labels: new weights, to compare with those of ANNOTATED."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of the catalog to show.",
            metavar="A,B,...",
            show_default="up to 30 of magnitudes, sizes, shapes",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Candidates in the gallery.")] = 100_000,
    to_label: Annotated[
        int, typer.Option(min=0, help="Candidates in the set to label: half of them random.")
    ] = 400,
    heat_maps: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Candidates with a heat map, the highest probabilities first.",
            show_default="1000, where the weights are there",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Probability above which it counts as an LSBG.",
            show_default="what ANNOTATED says",
        ),
    ] = None,
    table: _Table = None,
    ra: _Ra = None,
    dec: _Dec = None,
    position_unit: _PositionUnit = None,
    bands: Bands = None,
    survey: Survey = None,
    url: Url = None,
    connections: Connections = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write the plots as PDF and PNG too, for papers.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report in OUT.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
):
    """Write a folder that shows a run: summary, plots, gallery and labelling, in any browser."""
    from pipeline.progress import show_progress
    from pipeline.report import ReportOptions, write_report

    options = ReportOptions(
        cutouts=cutouts,
        source_options=given(bands=bands, survey=survey, url=url, connections=connections),
        truth=truth,
        labels=labels,
        against=against,
        columns=None if columns is None else [name.strip() for name in columns.split(",")],
        count=count,
        to_label=to_label,
        heat_maps=heat_maps,
        threshold=threshold,
        figures=figures,
        overwrite=overwrite,
        catalog_options=given(table=table, ra=ra, dec=dec, position_unit=position_unit),
    )
    with show_progress("cutouts", quiet=quiet) as progress:
        lines = write_report(annotated, folder, options, progress)
    if not quiet:
        _say(lines)


@app.command(short_help="Judge weights on labelled cutouts.")
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
    figures: _Figures = False,
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
    _say([*found.to_markdown().splitlines(), "", f"wrote {folder}"])


@app.command(short_help="Repeat a study of the paper on labelled cutouts.")
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
    figures: _Figures = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
):
    """Repeat a study of the paper on labelled cutouts: several trainings, one table."""
    from pipeline.study import run_study

    _say(
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


def _say(lines):
    for line in lines:
        typer.echo(line)


def main():
    """Run the command; see `pipeline.console.run_app`."""
    run_app(app, "lsbg")
