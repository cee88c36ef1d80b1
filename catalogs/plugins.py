"""Plug-ins of other installed packages, which are found through entry points."""

from importlib.metadata import EntryPoint, entry_points

from catalogs.errors import InputError, one_line

_OURS = "lsbg-classifier"


def find_plugins(group: str) -> list[EntryPoint]:
    """Return the entry points of a group; ours last, so that no other takes the place of ours."""
    return sorted(entry_points(group=group), key=lambda point: package_of(point) == _OURS)


def load_plugin(point: EntryPoint):
    """Import the object that an entry point names; errors name the package it belongs to.

    Raises
    ------
    InputError
        If it cannot be imported.
    """
    try:
        return point.load()
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise InputError(
            f"{point.name}: the installed package {package_of(point)} cannot be loaded ({reason}); "
            "fix or remove it"
        ) from error


def package_of(point: EntryPoint) -> str:
    """Name the installed package that an entry point belongs to."""
    return point.dist.name if point.dist is not None else "?"
