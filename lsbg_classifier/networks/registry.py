"""The table of networks: which builder belongs to the architecture that a card names."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint

from catalogs.errors import InputError
from catalogs.plugins import find_plugins, load_plugin, package_of

DEFAULT_NETWORK = "deepshadows"
"""Architecture of cards that name none."""

ENTRY_POINT_GROUP = "lsbg_classifier.networks"
"""Entry points of other packages: the name of a network, and the function that builds it."""

NETWORKS = {
    "deepshadows": "lsbg_classifier.networks.deepshadows:build_network",
    "residual": "lsbg_classifier.networks.residual:build_network",
}
"""Our own networks by name: module and function."""


def known_networks() -> list[str]:
    """Return the names of all networks, our own first; nothing heavy is imported."""
    return [*NETWORKS, *_plugins()]


def check_architecture(name: str):
    """Raise `InputError` that lists the known networks unless there is one of this name."""
    if name not in known_networks():
        raise InputError(
            f"unknown architecture {name!r}: choose one of {', '.join(known_networks())}, or "
            "install the package that adds it"
        )


def network_builder(name: str) -> Callable:
    """Return the function that builds a network.

    Parameters
    ----------
    name : str
        As on the card.

    Returns
    -------
    callable
        Takes the number of classes, an int; returns an untrained `keras.Model`. It must be
        Sequential or functional, take float images in [0, 1], shape (N, 64, 64, 3), and end with a
        `Dense` layer: one unit and sigmoid for two classes, softmax for more.

    Raises
    ------
    InputError
        If there is no such network, with the names that exist; or if its package cannot be loaded.
    """
    if name in NETWORKS:
        module, _, function = NETWORKS[name].partition(":")
        return getattr(import_module(module), function)
    check_architecture(name)
    return load_plugin(_plugins()[name])


def origin(name: str) -> str:
    """Name the installed package that a network comes from."""
    return "lsbg-classifier" if name in NETWORKS else package_of(_plugins()[name])


@cache
def _plugins() -> dict[str, EntryPoint]:
    """Return the networks of other packages; none can take the name of one of ours."""
    points = find_plugins(ENTRY_POINT_GROUP)
    return {point.name: point for point in points if point.name not in NETWORKS}
