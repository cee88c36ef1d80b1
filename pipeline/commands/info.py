"""``lsbg info``: what to paste into a bug report."""

from typing import Annotated

import typer

from pipeline.console import say


def info(
    devices: Annotated[
        bool,
        typer.Option(
            help="Start the network's backend and list its devices, which takes some seconds."
        ),
    ] = True,
):
    """Print versions, devices, weights, plug-ins and folders: what a bug report needs."""
    from pipeline.information import describe_installation

    say(describe_installation(devices=devices))
