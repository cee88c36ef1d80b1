"""``lsbg completeness``: which fraction of mock galaxies was recovered."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.inject import Overwrite, Quiet
from pipeline.console import ANY_PATH, say

Band = Annotated[str, typer.Option(help="Measure the surface brightness in this band.")]
MatchRadius = Annotated[
    float, typer.Option(help="Match mocks with detections up to this distance, in arcsec.")
]
Level = Annotated[
    float, typer.Option(help="Give all intervals this probability content, between 0 and 1.")
]


def completeness(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            help="Mocks: positions, R_EFF, and MU_MEAN_G or MAG_G; or a catalog of Rubin's "
            "source_injection.",
            **ANY_PATH,
        ),
    ],
    annotated: Annotated[
        Path,
        typer.Argument(
            metavar="ANNOTATED", help="Catalog of the same images after lsbg classify.", **ANY_PATH
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", **ANY_PATH)],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Count a mock as recovered above this probability.")
    ] = 0.5,
    band: Band = "g",
    match_radius: MatchRadius = 3.0,
    level: Level = 0.683,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
):
    """Measure the completeness of a catalog from mocks: tables, limits, a smooth model, figures."""
    from lsbg_classifier.completeness.measure import Settings
    from pipeline.injection.completeness import (
        check_completeness_output,
        lines_of_completeness,
        measure_completeness,
    )
    from pipeline.injection.log_lines import shown_lines

    settings = Settings(band, match_radius, threshold, level)
    check_completeness_output(output, overwrite)
    with shown_lines(quiet=quiet):
        measured = measure_completeness(truth, annotated, output, settings)
    if not quiet:
        say([*lines_of_completeness(measured), f"wrote {output}"])
