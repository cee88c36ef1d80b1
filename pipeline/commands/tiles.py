"""``lsbg tiles``: what a folder of images holds, before anything is classified."""

from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from pipeline.console import ANY_PATH, Survey, Tiles, say


def tiles(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Folder of FITS images, or a URL of one.")
    ],
    bands: Annotated[
        str, typer.Option(help="List the tiles that lack one of these bands, blue to red.")
    ] = "grz",
    survey: Survey = None,
    tiles: Tiles = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the footprint into this PNG file.", metavar="FILE.png", **ANY_PATH),
    ] = None,
):
    """Print what a folder of images holds: surveys, tiles, bands, flux scales, pixels, area."""
    from lsbg_classifier.cutouts.tile_index import TileIndex
    from lsbg_classifier.cutouts.tile_report import draw_footprint, report_tiles

    index = TileIndex.of_folder(folder, survey, tiles, all_files=True)
    say(report_tiles(index, tuple(bands)))
    if plot is not None:
        draw_footprint(index, plot, tuple(bands))
        say([f"wrote {plot}"])
    if index.scan.refused:
        raise InputError(
            f"{index.folder}: repair or remove the {len(index.scan.refused)} refused "
            f"{'file' if len(index.scan.refused) == 1 else 'files'}; lsbg classify would stop there"
        )
