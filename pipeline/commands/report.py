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
        bool, typer.Option("--overwrite", help="Replace a report in OUT.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
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
        labels=labels,
        against=against,
        columns=None if columns is None else [name.strip() for name in columns.split(",")],
        count=count,
        to_label=to_label,
        heat_maps=heat_maps,
        threshold=threshold,
        figures=figures,
        overwrite=overwrite,
        catalog_options=given(
            format=format, table=table, ra=ra, dec=dec, position_unit=position_unit
        ),
    )
    with show_progress("cutouts", quiet=quiet) as progress:
        lines = write_report(annotated, folder, options, progress)
    if not quiet:
        say(lines)
