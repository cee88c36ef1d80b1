"""``lsbg flags``: what the flag column means."""

from typing import Annotated

import typer

from catalogs.errors import InputError
from catalogs.flags import Flag
from pipeline.console import say


def flags(
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE", help="Decode this value of the column, or explain the flag so named."
        ),
    ] = None,
):
    """Explain the flag column, or decode one value of it."""
    from pipeline.describe import describe_flags

    number = None if value is None else _number_of(value)
    say(describe_flags(number))
    if number != 0:
        say(["docs/howto/flags.md says what to do about each"])


def _number_of(value: str) -> int:
    """Return the number of a value of the column, or of the name of a flag."""
    named = Flag.__members__.get(value.strip().upper())
    if named is not None:
        return int(named)
    if not value.strip().isdecimal():
        raise InputError(f"{value!r} is no number and no flag: {', '.join(Flag.__members__)}")
    number = int(value)
    if number >= 2 * max(Flag):
        raise InputError(f"flags are between 0 and {2 * max(Flag) - 1}, not {number}")
    return number
