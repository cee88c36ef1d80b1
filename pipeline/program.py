"""How a program starts, and how it reports errors; importing it is quick."""

import atexit
import errno
import gc
import logging
import os
import signal
import sys
from typing import Any

import typer

from catalogs.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_INTERRUPTED = 130


def new_app(text: str, **options: Any) -> typer.Typer:
    """Make a command.

    Parameters
    ----------
    text : str
        The help.
    **options
        Further options of `typer.Typer`.

    Returns
    -------
    typer.Typer
    """
    return typer.Typer(
        **options,
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def run_app(app: typer.Typer, name: str):
    """Run a command; an error that the user can fix becomes one line and a non-zero exit status.

    SIGTERM, by which batch systems end a job, is handled as Ctrl-C is.

    Parameters
    ----------
    app : typer.Typer
    name : str
        Name of the program, for usage and messages.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Otherwise the user reads messages about connections of Dask that close late.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if sys.stderr.isatty():  # somebody waits, and wants to know for what
        logging.getLogger("lsbg_classifier.compiled").addHandler(logging.StreamHandler())
    # Otherwise Python's garbage collector needs a second at the end for TensorFlow's objects.
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
    """Return the advice to continue or restart the command of this process."""
    command = typer.main.get_command(app)
    below = getattr(command, "commands", {})
    command = next((below[word] for word in sys.argv[1:] if word in below), command)
    resumes = any("--resume" in option.opts for option in command.params)
    return "go on with --resume" if resumes else "start it again"
