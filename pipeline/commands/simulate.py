"""``lsbg simulate``: a small simulated survey."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import ANY_PATH, say


def simulate(
    survey: Annotated[str, typer.Argument(help="Survey to imitate: des or hsc.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", **ANY_PATH)],
    tiles: Annotated[int, typer.Option(min=1, help="Make this many coadd tiles.")] = 2,
    tile_size: Annotated[
        int, typer.Option(min=300, help="Make tiles of this side, in pixels.")
    ] = 3000,
    lsbgs: Annotated[
        int, typer.Option(min=0, help="Put this many LSBGs into 3000x3000 pixels.")
    ] = 110,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Use this seed for the random sky; the same seed makes the same sky."
        ),
    ] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a simulated survey in OUT.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be made, and stop.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")
    ] = False,
):
    """Make a small simulated survey: coadd tiles, candidates found in them, and the truth."""
    from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
    from pipeline.progress import show_progress

    if dry_run:
        say(
            [
                f"{tiles} tiles of {tile_size}x{tile_size} pixels in g, r and z, "
                f"candidates.fits and truth.fits, in {folder}"
            ]
        )
        return
    with show_progress("tiles", quiet=quiet) as progress:
        products = simulate_survey(
            survey,
            folder,
            SurveyPlan(tiles=tiles, tile_size=tile_size, lsbgs=lsbgs, seed=seed),
            processes=os.cpu_count() or 1,
            overwrite=overwrite,
            progress=progress,
        )
    if not quiet:
        say(
            [
                f"{products.candidate_count} candidates, {products.lsbg_count} of them LSBGs",
                f"wrote {products.tiles}, {products.candidates}, {products.truth} and "
                f"{products.placed}",
            ]
        )
