"""The ``lsbg`` command: its subcommands are in `pipeline.commands`.

A subcommand is imported when it is called, so that ``lsbg --help`` is quick.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.program import new_app, run_app

_TITLE = "Probabilities for low-surface-brightness galaxy candidates, in their own catalog."

SUBCOMMANDS = {
    "classify": "Add probabilities and flags to a catalog.",
    "tiles": "Describe a folder of images: tiles, bands, flux scales, area.",
    "simulate": "Make a small simulated survey.",
    "detect": "Find candidates in tiles.",
    "inject": "Put mock galaxies into tiles.",
    "completeness": "Measure which fraction of mock galaxies was recovered.",
    "inject-recover": "Inject, detect, score and measure the completeness.",
    "weights": "List the trained weights, or show one card.",
    "flags": "Explain the flags, or decode one value.",
    "report": "Show a run: summary, gallery and labelling, in any browser.",
    "similar": "Find candidates that look like a given one, or like no cutout of the training.",
    "evaluate": "Judge weights on labelled cutouts.",
    "study": "Repeat a study of the paper on labelled cutouts.",
    "info": "Print what a bug report needs: versions, devices, weights.",
}
"""The subcommands, in the order of the help, and their line in it.

Each is the function of its name in the module of its name, with underscores for hyphens.
"""


class _Subcommands(MutableMapping[str, Any]):
    """The subcommands by name, each loaded when it is first asked for."""

    def __init__(self):
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str):
        if name not in self._loaded:
            self._loaded[name] = _load(name, SUBCOMMANDS[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any):
        self._loaded[name] = command

    def __delitem__(self, name: str):
        raise TypeError("a subcommand cannot be removed")

    def __iter__(self) -> Iterator[str]:
        return iter(SUBCOMMANDS)

    def __len__(self) -> int:
        return len(SUBCOMMANDS)


def _load(name: str, line: str):
    """Import a subcommand and give it to typer."""
    function = name.replace("-", "_")
    app = new_app(line)
    app.command(name, short_help=line)(
        getattr(import_module(f"pipeline.commands.{function}"), function)
    )
    return typer.main.get_command(app)


class _Group(TyperGroup):
    """The command with its subcommands, of which the help imports none."""

    def __init__(self, **attributes: Any):
        super().__init__(**attributes)
        self.commands = _Subcommands()

    def list_commands(self, _: Any) -> list[str]:
        """Return the names of the subcommands, in the order of the help."""
        return list(SUBCOMMANDS)

    def format_commands(self, _: Any, formatter: Any):
        """Write the names and the lines of the subcommands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


app = new_app(_TITLE, cls=_Group)


def _show_version(wanted: bool):
    if wanted:
        from catalogs.software import software_name

        typer.echo(software_name())
        raise typer.Exit


@app.callback(help=_TITLE)
def lsbg(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
):
    """Run a subcommand."""


def main():
    """Run the command; see `pipeline.program.run_app`."""
    run_app(app, "lsbg")
