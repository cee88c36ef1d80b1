"""The ``lsbg`` command: its subcommands are in `pipeline.commands`."""

from collections.abc import Callable
from typing import Annotated

import typer

from catalogs.software import software_name
from pipeline.commands.classify import classify
from pipeline.commands.completeness import completeness
from pipeline.commands.detect import detect
from pipeline.commands.evaluate import evaluate
from pipeline.commands.flags import flags
from pipeline.commands.info import info
from pipeline.commands.inject import inject
from pipeline.commands.inject_recover import inject_recover
from pipeline.commands.report import report
from pipeline.commands.simulate import simulate
from pipeline.commands.study import study
from pipeline.commands.tiles import tiles
from pipeline.commands.weights import weights
from pipeline.console import new_app, run_app

app = new_app("Probabilities for low-surface-brightness galaxy candidates, in their own catalog.")

_SUBCOMMANDS: dict[Callable[..., None], str] = {
    classify: "Add probabilities and flags to a catalog.",
    tiles: "Describe a folder of images: tiles, bands, flux scales, area.",
    simulate: "Make a small simulated survey.",
    detect: "Find candidates in tiles.",
    inject: "Put mock galaxies into tiles.",
    completeness: "Measure which part of mock galaxies was recovered.",
    inject_recover: "Inject, detect, score and measure the completeness.",
    weights: "List the trained weights, or show one card.",
    flags: "Explain the flags, or decode one value.",
    report: "Show a run: summary, gallery and labelling, in any browser.",
    evaluate: "Judge weights on labelled cutouts.",
    study: "Repeat a study of the paper on labelled cutouts.",
    info: "Print what a bug report needs: versions, devices, weights.",
}
"""The subcommands, in the order of the help, and their line in it."""

for _function, _line in _SUBCOMMANDS.items():
    app.command(short_help=_line)(_function)


def _show_version(wanted: bool):
    if wanted:
        typer.echo(software_name())
        raise typer.Exit


@app.callback()
def lsbg(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
):
    """Probabilities for low-surface-brightness galaxy candidates, in their own catalog."""


def main():
    """Run the command; see `pipeline.console.run_app`."""
    run_app(app, "lsbg")
