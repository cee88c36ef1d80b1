"""Paths made absolute, so that a worker that was started in another folder finds the files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalogs.urls import is_url

_FOLDERS = ("tiles", "kept")
"""Kinds of sources whose detail is a path; see `lsbg_classifier.open_source`."""


def anywhere(spec: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Make the paths of a source of cutouts absolute; workers may run in other folders.

    Parameters
    ----------
    spec : str
        As for `lsbg_classifier.open_source`.
    options : mapping
        Of the source.

    Returns
    -------
    spec : str
    options : dict

    Examples
    --------
    >>> from pipeline.locations import anywhere
    >>> anywhere("tiles:/survey", {"survey": "hsc"})
    ('tiles:/survey', {'survey': 'hsc'})
    """
    kind, _, detail = spec.partition(":")
    if kind in _FOLDERS and not is_url(detail):
        spec = f"{kind}:{_absolute(detail)}"
    survey = options.get("survey")
    if isinstance(survey, str) and survey.endswith(".toml"):
        return spec, {**options, "survey": _absolute(survey)}
    return spec, dict(options)


def absolute_file(value: object) -> object:
    """Make the path of a file absolute, for an option that takes a file or something else.

    Parameters
    ----------
    value : object
        Such as the path of a file of weights, or the name of registered ones.

    Returns
    -------
    object
        Text if it is the path of a file that exists; otherwise the value itself.
    """
    is_file = isinstance(value, (str, Path)) and Path(value).is_file()
    return str(Path(str(value)).absolute()) if is_file else value


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
