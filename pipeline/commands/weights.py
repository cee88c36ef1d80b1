"""``lsbg weights``: the trained weights that can be used."""

from typing import Annotated

import typer

from pipeline.console import say


def weights(
    name: Annotated[str | None, typer.Argument(help="Show the whole card of this set.")] = None,
):
    """List the trained weights, or show what one set has seen."""
    from pipeline.describe import describe_card, describe_weights

    say(describe_weights() if name is None else describe_card(name))
