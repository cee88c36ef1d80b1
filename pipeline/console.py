"""What all commands share: how they look, and how what goes wrong is said."""

import atexit
import errno
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from catalogs.errors import InputError
from catalogs.formats import FORMATS

ANY_PATH = {"readable": False}
"""Option of an argument that is a path: one that cannot be read is no error of usage."""

Bands = Annotated[str | None, typer.Option(help="Bands of tiles, blue to red: grz or gri.")]
Survey = Annotated[
    str | None,
    typer.Option(help="Survey of the images, where names do not tell: a name or a .toml file."),
]
Url = Annotated[str | None, typer.Option(help="Another server with the same interface.")]
Connections = Annotated[
    int | None, typer.Option(min=1, help="Simultaneous requests to a server; 8 unless you say so.")
]
"""Options of a cutout source, the same for all commands."""

Format = Annotated[
    str | None,
    typer.Option(
        help="Name of the catalog's format, where its content does not say it for sure: "
        f"{', '.join(known.name for known in FORMATS)}.",
        metavar="NAME",
    ),
]
Table = Annotated[
    str | None,
    typer.Option(help="FITS extension or VOTable table, by name or number.", metavar="NAME|N"),
]
Ra = Annotated[str | None, typer.Option(help="Column of right ascension.")]
Dec = Annotated[str | None, typer.Option(help="Column of declination.")]
PositionUnit = Annotated[
    str | None,
    typer.Option(
        help="Unit of the position, where the table has none: deg, rad, or hourangle (RA in hours)."
    ),
]
"""Options that find the positions in a catalog, the same for all commands."""

Figures = Annotated[
    bool, typer.Option("--figures", help="Write every figure as PDF too, for papers.")
]

Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Batch = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
LearningRate = Annotated[float | None, typer.Option(min=0, help="Instead of the recipe's.")]
Beside = Annotated[
    Path | None,
    typer.Option(
        help="Folder of another training, whose cutouts make up half of every batch, so that what "
        "the weights learned from them is not forgotten; for samples of a few hundred.",
        **ANY_PATH,
    ),
]
"""Options that change a training, the same for all commands."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_INTERRUPTED = 130


def new_app(text: str) -> typer.Typer:
    """Make a command with a help text."""
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def given(**options):
    """Keep the options that were given, for there are defaults elsewhere."""
    return {name: value for name, value in options.items() if value is not None}


def say(lines: Iterable[str]):
    """Print lines on standard output."""
    for line in lines:
        typer.echo(line)


def run_app(app: typer.Typer, name: str):
    """Run a command; what a user can mend becomes one line and a non-zero exit status.

    SIGTERM, by which batch systems end a job, is taken like Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Else Dask's connections that close late are told to the user as futures nobody asked for.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    # Else Python, as it ends, looks through all that TensorFlow has made, for a second.
    atexit.register(gc.freeze)
    try:
        app(prog_name=name)
    except InputError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        advice = f"; make room, then {_again(app)}" if error.errno in _FULL else ""
        sys.exit(f"{name}: {where}{error.strerror or error}{advice}")
    except SystemExit as ending:
        if ending.code == _INTERRUPTED:  # typer's, for a KeyboardInterrupt
            sys.stderr.write(f"{name}: interrupted; to finish, {_again(app)}\n")
            sys.stderr.flush()
            atexit._run_exitfuncs()
            os._exit(_INTERRUPTED)  # sys.exit would wait for the requests under way
        raise


def _again(app: typer.Typer) -> str:
    """Say how the command that was typed is finished after it was stopped."""
    command = typer.main.get_command(app)
    below = getattr(command, "commands", {})
    command = next((below[word] for word in sys.argv[1:] if word in below), command)
    resumes = any("--resume" in option.opts for option in command.params)
    return "go on with --resume" if resumes else "start it again"
