"""``lsbg flags``: what the flag column means."""

from typing import Annotated

import typer

from catalogs.errors import InputError
from catalogs.flags import Flag
from pipeline.console import say


def flags(
    value: Annotated[int | None, typer.Argument(help="Decode this value of the column.")] = None,
):
    """Explain the flag column, or decode one value of it."""
    from pipeline.describe import describe_flags

    if value is not None and not 0 <= value < 2 * max(Flag):
        raise InputError(f"flags are between 0 and {2 * max(Flag) - 1}, not {value}")
    say(describe_flags(value))
