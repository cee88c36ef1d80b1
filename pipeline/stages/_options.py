"""The options of commands, for the stages of other frameworks.

Those of ``lsbg classify`` are in `pipeline.options.OPTIONS`; those of other commands are read off
their functions.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pipeline.options import Option, kind_of, with_value

_LISTS, _PATHS = {"columns", "labellers"}, {"truth", "completeness"}
"""Options of the report that are names with commas between them, and those that are files."""

_OF_CATALOG = ("format", "table", "ra", "dec", "position_unit")


def options_of(command: Callable, without: Collection[str] = ()) -> tuple[Option, ...]:
    """Read the options off the function of a command.

    Parameters
    ----------
    command : callable
        The function that typer calls; each parameter is ``Annotated`` with its option.
    without : collection of str
        Names of options that are left out.

    Returns
    -------
    tuple of Option
        In the order of the command's parameters.
    """
    hints = get_type_hints(command, include_extras=True)
    options = (
        _option(hints[name], parameter)
        for name, parameter in inspect.signature(command).parameters.items()
    )
    return tuple(option for option in options if option.name not in without)


def _option(hint: object, parameter: inspect.Parameter) -> Option:
    annotated, info = get_args(hint)[:2]
    written = (info.default, *(info.param_decls or ()))  # typer takes the first for a default
    flags = [flag for flag in written if isinstance(flag, str) and flag.startswith("--")]
    required = parameter.default is inspect.Parameter.empty
    return Option(
        name=flags[0].removeprefix("--").replace("-", "_") if flags else parameter.name,
        kind=kind_of(annotated),
        default=None if required else parameter.default,
        help=info.help,
        required=required,
        low=info.min,
        high=info.max,
    )


def report_options(values: Mapping[str, Any]):
    """Turn values of the options of ``lsbg report`` into `pipeline.report.ReportOptions`.

    None stands for an option without a value; a report that exists is replaced.
    """
    from pipeline.report import ReportOptions

    options = with_value(values)
    for name in _LISTS & options.keys():
        options[name] = [part.strip() for part in options[name].split(",")]
    for name in _PATHS & options.keys():
        options[name] = Path(options[name])
    ours, others = _split(options, _attributes(ReportOptions))
    catalog, source = _split(others, _OF_CATALOG)
    return ReportOptions(**ours, catalog_options=catalog, source_options=source, overwrite=True)


def _attributes(options: type) -> set[str]:
    return {field.name for field in fields(options)}


def _split(values: Mapping[str, Any], names: Collection[str]) -> tuple[dict, dict]:
    """Divide values into those of some names, and the others."""
    chosen = {name: value for name, value in values.items() if name in names}
    return chosen, {name: value for name, value in values.items() if name not in names}


def command_arguments(options: Iterable[Option], values: Mapping[str, object]) -> list[str]:
    """Turn values of options into a command line.

    Parameters
    ----------
    options : iterable of Option
    values : mapping
        A value for each of them, by its name; None and defaults are left out.

    Returns
    -------
    list of str
        ``--name=value``, and ``--name`` or ``--no-name`` for logical values.
    """
    arguments = []
    for option in options:
        value, flag = values[option.name], option.name.replace("_", "-")
        if value is None or value == option.default:
            continue
        if option.kind is bool:
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            arguments.append(f"--{flag}={value}")
    return arguments
