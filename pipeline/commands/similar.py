"""``lsbg similar``: candidates like one that was found, or unlike all that was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
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


def similar(
    annotated: Annotated[
        Path, typer.Argument(help="A catalog that lsbg classify wrote.", **ANY_PATH)
    ],
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT",
            help="Write the candidates here, in the format of ANNOTATED.",
            show_default="ANNOTATED_similar_N or ANNOTATED_odd",
            **ANY_PATH,
        ),
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(min=0, help="Find what looks like the candidate of this row, from 0."),
    ] = None,
    odd: Annotated[
        bool,
        typer.Option("--odd", help="Find what is least like the cutouts that were trained on."),
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="Find this many candidates.")] = 100,
    cutouts: Annotated[
        str | None,
        typer.Option(help="Take images that were not kept from this source, as for lsbg classify."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Use the network of these weights: a name or a file.",
            show_default="those of ANNOTATED",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write a report of the candidates that are found alone, which opens at once.",
            **ANY_PATH,
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT and the features of another run.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress and no summary.")
    ] = False,
):
    """Find the candidates most like one, or the oddest, by how the network sees them.

    The features of all candidates are computed once, into ANNOTATED.features.parquet; without
    --row and --odd nothing else is done.
    """
    from pipeline.progress import show_progress
    from pipeline.similar_run import SimilarRequest, find_similar

    if row is not None and odd:
        raise InputError("--row and --odd: give one of them")
    request = SimilarRequest(
        annotated=annotated,
        output=output,
        row=row,
        odd=odd,
        count=count,
        cutouts=cutouts,
        source_options=given(
            bands=bands, survey=survey, tiles=tiles, url=url, connections=connections
        ),
        weights=weights,
        page=page,
        catalog_options=given(
            format=format, table=table, ra=ra, dec=dec, position_unit=position_unit
        ),
        overwrite=overwrite,
    )
    with show_progress("candidates", quiet=quiet) as progress:
        lines = find_similar(request, progress)
    if not quiet:
        say(lines)
