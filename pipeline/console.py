"""What all commands share: their options, and how they are called and repeated."""

import inspect
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.options import Option, option_named

ANY_PATH: dict[str, Any] = {"readable": False}
"""For an argument that is a path: if it cannot be read, the command says why, not typer."""


def typer_option(option: Option) -> Any:
    """Give an option to typer, which makes it one of the command line."""
    words = ["--" + option.name.replace("_", "-")] if option.kind is bool else []
    return typer.Option(
        *words,
        help=option.help,
        min=option.low,
        max=option.high,
        metavar=option.metavar,
        **(ANY_PATH if option.is_path else {}),
    )


def takes_options(options: Iterable[Option]) -> Callable[[Callable[..., None]], Callable]:
    """Give a command the options of a table, in place of its ``**options``.

    Parameters
    ----------
    options : iterable of Option
        They come after the command's own parameters without a default, and before the others.
    """

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        arguments = [p for p in own if p.default is p.empty]
        parameters = [
            *arguments,
            *(_parameter(option) for option in options),
            *(p for p in own if p not in arguments),
        ]
        named = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
        command.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in named}
        return command

    return with_options


def _parameter(option: Option) -> inspect.Parameter:
    """Return an option as a parameter that typer understands."""
    kind: Any = Path if option.is_path else option.kind
    kind = tuple[int, int] if kind is tuple else kind
    may_be_none = option.default is None and not option.required
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if option.required else option.default,
        annotation=Annotated[kind | None if may_be_none else kind, typer_option(option)],
    )


Bands = Annotated[str | None, typer_option(option_named("bands"))]
Survey = Annotated[str | None, typer_option(option_named("survey"))]
Tiles = Annotated[str | None, typer_option(option_named("tiles"))]
Url = Annotated[str | None, typer_option(option_named("url"))]
Connections = Annotated[int | None, typer_option(option_named("connections"))]
"""Options of a cutout source, the same for all commands."""

Format = Annotated[str | None, typer_option(option_named("format"))]
Table = Annotated[str | None, typer_option(option_named("table"))]
Ra = Annotated[str | None, typer_option(option_named("ra"))]
Dec = Annotated[str | None, typer_option(option_named("dec"))]
PositionUnit = Annotated[str | None, typer_option(option_named("position_unit"))]
"""Options that find the positions in a catalog, the same for all commands."""

Figures = Annotated[
    bool, typer.Option("--figures", help="Write every figure as PDF too, for papers.")
]

Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Train this many epochs; by default as many as the recipe says."),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1, help="Put this many cutouts into a batch; by default as many as the recipe says."
    ),
]
LearningRate = Annotated[
    float | None, typer.Option(min=0, help="Use this learning rate; by default that of the recipe.")
]
Beside = Annotated[
    Path | None,
    typer.Option(
        help="Fill half of every batch with the cutouts of this folder of another training, so "
        "that the weights do not forget what they learned from them; for samples of a few hundred.",
        **ANY_PATH,
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(
        help="Build this network, where weights are trained from scratch: deepshadows, residual, "
        "or one that an installed package adds.",
        show_default="deepshadows, or that of the weights to fine-tune",
    ),
]
"""Options that change a training, the same for all commands."""


def given(**options):
    """Return the options that have a value; the others have their defaults in the library."""
    return {name: value for name, value in options.items() if value is not None}


def say(lines: Iterable[str]):
    """Print lines on standard output."""
    for line in lines:
        typer.echo(line)


def call_command(app: typer.Typer, program: str, arguments: Sequence[str]):
    """Call a command of one function from Python, without `sys.argv`.

    Parameters
    ----------
    app : typer.Typer
    program : str
        Name of the program, which `command_line` puts before the arguments.
    arguments : sequence of str
        As on the command line.

    Raises
    ------
    InputError
        As of the command.
    """
    token = _CALLED.set((program, *arguments))
    try:
        typer.main.get_command(app).main(
            args=list(arguments), prog_name=program, standalone_mode=False
        )
    finally:
        _CALLED.reset(token)


def command_line() -> str:
    """Return the command that is running, as somebody would type it to repeat it."""
    called = _CALLED.get()
    return shlex.join(called or [Path(sys.argv[0]).name, *sys.argv[1:]])


_CALLED: ContextVar[tuple[str, ...] | None] = ContextVar("called", default=None)
