"""``lsbg report``: a page that shows a run."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import (
    ANY_PATH,
    Bands,
    Connections,
    Dec,
    Format,
    PositionUnit,
    Ra,
    Survey,
    Table,
    Tiles,
    Url,
    given,
    say,
)


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
        typer.Option(help="Take images that were not kept from this source, as for lsbg classify."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Judge the probabilities by this FITS table of the same rows, with the column "
            "LABEL (1 = LSBG, 0 = not).",
            **ANY_PATH,
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Judge the probabilities by this CSV of labels that the labelling page exported. "
            "Give it several times to join several files.",
            **ANY_PATH,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Show where these other weights disagree with those of ANNOTATED; with --labels, "
            "judge both by the labels of candidates drawn at random."
        ),
    ] = None,
    completeness: Annotated[
        Path | None,
        typer.Option(
            help="Show this completeness.json of lsbg completeness or inject-recover.", **ANY_PATH
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Show these columns of the catalog, separated by commas.",
            metavar="A,B,...",
            show_default="up to 30 of magnitudes, sizes, shapes",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Show at most this many candidates.")] = 100_000,
    to_label: Annotated[
        int,
        typer.Option(
            min=0, help="Put this many candidates into the set to label, half of them random."
        ),
    ] = 400,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Choose the other half of the set to label by: uncertain (closest to the "
            "threshold), diverse (spread over what the network sees), both, or random.",
            show_default="both if cutouts were kept, else uncertain",
        ),
    ] = None,
    labellers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Give each of these labellers a set of their own, of --to-label candidates.",
            show_default="all label the same",
        ),
    ] = None,
    overlap: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Show this part of each set to all --labellers, to compare them."
        ),
    ] = 0.2,
    heat_maps: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Draw heat maps of this many candidates, the highest probabilities first.",
            show_default="1000, if the weights are on this machine",
        ),
    ] = None,
    context: Annotated[
        float | None,
        typer.Option(
            help="Show a field of this many arcseconds around the first 1000 candidates and "
            "the set to label, from the images of --cutouts.",
            metavar="ARCSEC",
            show_default="none",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Count candidates above this probability as LSBGs.",
            show_default="that of ANNOTATED",
        ),
    ] = None,
    format: Format = None,
    table: Table = None,
    ra: Ra = None,
    dec: Dec = None,
    position_unit: PositionUnit = None,
    bands: Bands = None,
    survey: Survey = None,
    tiles: Tiles = None,
    url: Url = None,
    connections: Connections = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write the plots as PDF and PNG too, for papers.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report in OUT.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress and no summary.")
    ] = False,
):
    """Write a folder that shows a run: summary, plots, gallery and labelling, in any browser."""
    from pipeline.progress import show_progress
    from pipeline.report import ReportOptions, write_report

    options = ReportOptions(
        cutouts=cutouts,
        source_options=given(
            bands=bands, survey=survey, tiles=tiles, url=url, connections=connections
        ),
        truth=truth,
        labels=tuple(labels or ()),
        against=against,
        completeness=completeness,
        columns=None if columns is None else [name.strip() for name in columns.split(",")],
        count=count,
        to_label=to_label,
        heat_maps=heat_maps,
        context=context,
        threshold=threshold,
        figures=figures,
        strategy=strategy,
        labellers=[name.strip() for name in labellers.split(",")] if labellers else (),
        overlap=overlap,
        overwrite=overwrite,
        catalog_options=given(
            format=format, table=table, ra=ra, dec=dec, position_unit=position_unit
        ),
    )
    with show_progress("cutouts", quiet=quiet) as progress:
        lines = write_report(annotated, folder, options, progress)
    if not quiet:
        say(lines)
