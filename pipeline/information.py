"""A description of the installation for bug reports: ``lsbg info``."""

import os
import platform
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path

from catalogs.errors import InputError
from catalogs.plugins import package_of
from catalogs.software import PACKAGE, software_name
from lsbg_classifier.engines.choice import plan_engine
from lsbg_classifier.folders import cache_folder
from lsbg_classifier.weights.registry import (
    DEFAULT_WEIGHTS,
    broken_weights,
    known_weights,
    weights_folder,
)

VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "LSBG_THREADS", "LSBG_WEIGHTS", "NUMBA_CACHE_DIR"),
    *("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"),
)
"""Environment variables that change what a run does."""

_SIZES = ("B", "kB", "MB", "GB", "TB")


def describe_installation(*, devices: bool = True) -> list[str]:
    """Describe this installation: versions, backend, devices, weights, plug-ins and folders.

    Parameters
    ----------
    devices : bool
        Start the network's backend to list its devices, which takes some seconds.

    Returns
    -------
    list of str
        Lines of text for a bug report; no names of users or hosts are in them, but the paths of
        folders are.
    """
    return [
        f"{software_name()}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        f"required packages: {_versions(extra=False)}",
        f"optional packages: {_versions(extra=True)}",
        f"environment: {_environment()}",
        f"scored by: {_engine()}",
        *([f"trained by: {_backend()}"] if devices else []),
        *_weights(),
        f"plug-ins: {_plugins()}",
        f"weights of your own: {_folder(weights_folder())}",
        f"cache: {_folder(cache_folder())}",
    ]


def _versions(*, extra: bool) -> str:
    """List the installed versions of required packages, or of those that only extras name."""
    names = {_name(line): "extra ==" in line for line in sorted(requires(PACKAGE) or [])}
    versions = [f"{name} {_version(name)}" for name, is_extra in names.items() if is_extra == extra]
    return ", ".join(versions)


def _name(requirement: str) -> str:
    return "".join(_until_version(requirement)).strip()


def _until_version(requirement: str):
    for character in requirement:
        if character in "<>=!~;[( ":
            return
        yield character


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _environment() -> str:
    values = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return ", ".join(values) or "no variable that matters is set"


def _engine() -> str:
    """Name what runs the network of the default weights, and why."""
    try:
        engine = plan_engine(known_weights()[DEFAULT_WEIGHTS])
    except (InputError, ImportError, KeyError) as error:
        return f"nothing here can run {DEFAULT_WEIGHTS} ({' '.join(str(error).split())})"
    return f"{engine.software} ({engine.reason})"


def _backend() -> str:
    from lsbg_classifier.backend import start_backend

    try:
        start_backend()
        import keras

        devices = keras.distribution.list_devices()
    except (ImportError, RuntimeError, ValueError) as error:
        return f"the backend does not start ({' '.join(str(error).split())})"
    return f"Keras with {keras.backend.backend()} on {', '.join(devices) or 'the CPU'}"


def _weights() -> list[str]:
    sets = {name: weights.card.sha256[:12] for name, weights in known_weights().items()}
    sets |= {name: f"cannot be used; {error}" for name, error in broken_weights().items()}
    return [
        f"weights: {name}{' (default)' if name == DEFAULT_WEIGHTS else ''}, {text}"
        for name, text in sorted(sets.items())
    ]


def _plugins() -> str:
    """Name what other packages add to this one."""
    added = [
        f"{point.name} ({group.partition('.')[2]}, of {package_of(point)})"
        for group in sorted(entry_points().groups)
        if group.startswith("lsbg_classifier.")
        for point in entry_points(group=group)
        if package_of(point) != PACKAGE
    ]
    return ", ".join(added) or "none"


def _folder(path: Path) -> str:
    """Describe a folder by its path and the size of its files."""
    if not path.is_dir():
        return f"{path}, not there"
    try:
        sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    except OSError as error:
        raise InputError(
            f"{error.filename}: {error.strerror}; the folder cannot be read"
        ) from error
    return f"{path}, {len(sizes)} file(s), {_size(sum(sizes))}"


def _size(count: float) -> str:
    for unit in _SIZES:
        if count < 1000 or unit == _SIZES[-1]:
            return f"{count:.0f} {unit}"
        count /= 1000
    return ""
