"""The options of the commands, for the stages of other frameworks: one source of words."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

from catalogs.errors import InputError
from pipeline.job import Options

_KINDS = (bool, int, float, str)
_OF_CATALOG = ("format", "table", "ra", "dec", "position_unit")


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes
    ----------
    name : str
        As in the command line, with underscores.
    kind : type
        ``bool``, ``int``, ``float`` or ``str``; paths are ``str``.
    default : bool, int, float, str or None
        None: none, or decided elsewhere.
    help : str
    required : bool
    low, high : float or None
        The legal range, ends included.
    """

    name: str
    kind: type
    default: object
    help: str
    required: bool
    low: float | None
    high: float | None

    def check(self, value: object):
        """Raise `InputError` if a value is out of range."""
        if value is None:
            return
        if self.low is not None and value < self.low:
            raise InputError(f"{self.name} must be at least {self.low:g}, not {value}")
        if self.high is not None and value > self.high:
            raise InputError(f"{self.name} must be at most {self.high:g}, not {value}")


def options_of(command: Callable, without: Collection[str] = ()) -> tuple[Option, ...]:
    """Read the options off a command of ours.

    Parameters
    ----------
    command : callable
        The function that typer calls; each parameter is ``Annotated`` with its option.
    without : collection of str
        Names of options that the framework has its own way for.
    """
    hints = get_type_hints(command, include_extras=True)
    found = (
        _option(hints[name], parameter)
        for name, parameter in inspect.signature(command).parameters.items()
    )
    return tuple(option for option in found if option.name not in without)


def _option(hint, parameter: inspect.Parameter) -> Option:
    annotated, info = get_args(hint)[:2]
    kinds = set(get_args(annotated) or (annotated,)) - {NoneType}
    kind = next((kind for kind in _KINDS if kind in kinds), str)
    written = (info.default, *(info.param_decls or ()))  # typer takes the first for a default
    flags = [flag for flag in written if isinstance(flag, str) and flag.startswith("--")]
    name = flags[0].removeprefix("--").replace("-", "_") if flags else parameter.name
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    return Option(name, kind, default, info.help, required, info.min, info.max)


def check(options: Iterable[Option], values: Mapping[str, object]):
    """Raise `InputError` if one of the values is out of its option's range."""
    for option in options:
        option.check(values[option.name])


def annotate_arguments(values: Mapping[str, object]) -> dict:
    """Turn values of the options of ``lsbg classify`` into arguments of `pipeline.annotate`.

    None stands for an option that was not given. What is no attribute of `pipeline.job.Options`
    is an option of the cutout source.
    """
    given = _given(values)
    ours, source = _split(given, {"cutouts", *_attributes(Options)})
    return ours | {"source_options": source}


def report_options(values: Mapping[str, object]):
    """Turn values of the options of ``lsbg report`` into `pipeline.report.ReportOptions`.

    None stands for an option that was not given; a report that exists is replaced.
    """
    from pipeline.report import ReportOptions

    given = _given(values)
    if "columns" in given:
        given["columns"] = [name.strip() for name in given["columns"].split(",")]
    if "truth" in given:
        given["truth"] = Path(given["truth"])
    ours, others = _split(given, _attributes(ReportOptions))
    catalog, source = _split(others, _OF_CATALOG)
    return ReportOptions(**ours, catalog_options=catalog, source_options=source, overwrite=True)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _attributes(options: type) -> set[str]:
    return {field.name for field in fields(options)}


def _split(values: Mapping[str, object], names: Collection[str]) -> tuple[dict, dict]:
    """Divide values into those of some names, and the others."""
    chosen = {name: value for name, value in values.items() if name in names}
    return chosen, {name: value for name, value in values.items() if name not in names}


def command_arguments(options: Iterable[Option], values: Mapping[str, object]) -> list[str]:
    """Turn values of options into a command line; what is as by default is left out."""
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
