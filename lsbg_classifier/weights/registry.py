"""Where weight sets are: in the package, in the user's folder, in other packages, or at a path."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from catalogs.errors import InputError
from catalogs.output import written_whole
from catalogs.plugins import find_plugins, load_plugin, package_of
from lsbg_classifier.folders import data_folder
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.contents import check_contents

DEFAULT_WEIGHTS = "des-real"
"""The shipped set that is used when none is named."""

ENTRY_POINT_GROUP = "lsbg_classifier.weights"
"""Entry points of other packages: each names a package whose folder holds weight sets."""

_SUFFIX = ".weights.h5"
_SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class WeightSet:
    """A card and the file it describes."""

    card: Card
    path: Path

    def check_intact(self):
        """Raise `InputError` unless the file is the one whose sha256 is on the card.

        Nor may it be huge when unpacked, or refer to other files.
        """
        try:
            digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{self.path}: cannot read the weights ({error.strerror})") from error
        if digest != self.card.sha256:
            raise InputError(
                f"{self.path}: not the file that its card describes (sha256 differs); "
                "install the weight set again"
            )
        try:
            check_contents(self.path)
        except ValueError as error:
            raise InputError(f"{self.path}: not weights of this network ({error})") from error


def weights_folder() -> Path:
    """Return the user's folder of weight sets: ``LSBG_WEIGHTS`` or the XDG data folder."""
    if folder := os.environ.get("LSBG_WEIGHTS"):
        return Path(folder)
    return data_folder() / "weights"


def known_weights() -> dict[str, WeightSet]:
    """Return all registered weight sets by name; the user's own hide others of that name."""
    registered = _registered().items()
    return {name: weights for name, weights in registered if isinstance(weights, WeightSet)}


def broken_weights() -> dict[str, InputError]:
    """Say by name what is wrong with registered weight sets that cannot be used."""
    return {name: error for name, error in _registered().items() if isinstance(error, InputError)}


def find_weights(name: str | os.PathLike) -> WeightSet:
    """Find a weight set by name, or by the path of its ``.weights.h5`` file.

    Parameters
    ----------
    name : str or path
        A registered name (``lsbg weights`` lists them), or the path of a file with its card beside
        it.

    Returns
    -------
    WeightSet
        With the attributes `card` and `path`. The file is not read yet.

    Raises
    ------
    InputError
        If there is none, and the message lists the names that exist; or if its card is damaged.

    Examples
    --------
    >>> from lsbg_classifier.weights.registry import find_weights
    >>> weights = find_weights("des-simulated")
    >>> weights.card.survey, weights.path.name
    ('des', 'des-simulated.weights.h5')
    """
    name = os.fspath(name)
    if name.endswith(_SUFFIX):
        if not Path(name).is_file():
            raise InputError(f"{name}: no such file of weights")
        return at_path(Path(name))
    weights = _registered().get(name)
    if weights is None:
        raise InputError(
            f"unknown weights {name!r}: choose one of {', '.join(sorted(known_weights()))}, "
            f"or give the path of a *{_SUFFIX} file"
        )
    if isinstance(weights, InputError):
        raise weights
    return weights


def check_registrable(name: str, overwrite: bool):
    """Refuse a name under which a weight set would replace or hide another.

    Parameters
    ----------
    name : str
    overwrite : bool
        Whether a registered set may be replaced; one that ships never is.

    Raises
    ------
    InputError
        If the name is in use.
    """
    if weights_path(_SHIPPED, name).exists():
        raise InputError(f"{name!r} ships with this software; choose another name with --name")
    if weights_path(weights_folder(), name).exists() and not overwrite:
        raise InputError(
            f"{name!r} is registered already in {weights_folder()}; choose another --name, or "
            "add --overwrite to replace it"
        )


def register_weights(weights: WeightSet) -> WeightSet:
    """Copy a weight set into the user's folder, in place of one of the same name."""
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = weights_path(folder, weights.card.name)
    for source, target in ((weights.path, path), (_card_path(weights.path), _card_path(path))):
        with written_whole(target) as partial:
            shutil.copyfile(source, partial)
    return at_path(path)


def _registered() -> dict[str, WeightSet | InputError]:
    """Collect all weight sets by name; an error stands for a set that cannot be used."""
    shipped = _in_folder(_SHIPPED)
    added = {}
    for point in find_plugins(ENTRY_POINT_GROUP):
        for name, weights in _in_package(point).items():
            if name in added or name in shipped:
                weights = InputError(
                    f"the installed package {package_of(point)} has weights {name!r}, as another "
                    "has; ask for another name"
                )
                name = f"{name} of {package_of(point)}"
            added[name] = weights
    return added | shipped | _in_folder(weights_folder())


def _in_package(point: EntryPoint) -> dict[str, WeightSet | InputError]:
    """Return the weight sets of another package, or what is wrong with it by its own name."""
    try:
        package = load_plugin(point)
    except InputError as error:
        return {point.name: error}
    folders = list(getattr(package, "__path__", []))
    weights = _in_folder(Path(folders[0])) if folders else {}
    where = f"the installed package {package_of(point)}"
    return weights or {
        point.name: InputError(f"{point.name}: {where} has no *{_SUFFIX} in {point.value}")
    }


def _in_folder(folder: Path) -> dict[str, WeightSet | InputError]:
    """Return the weight sets of a folder, or what is wrong with them, by name."""
    sets: dict[str, WeightSet | InputError] = {}
    weights: WeightSet | InputError
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            weights = at_path(path)
            name = weights.card.name
        except InputError as error:
            weights, name = error, _stem(path)
        if name in sets:
            weights = InputError(f"{folder}: several weight sets are named {name!r}; rename one")
        sets[name] = weights
    return sets


def at_path(path: Path) -> WeightSet:
    """Return the weight set whose ``.weights.h5`` file is at `path`, with the card beside it."""
    return WeightSet(Card.read(_card_path(path)), path)


def weights_path(folder: Path, name: str) -> Path:
    """Return where the weights of that name lie in a folder.

    Parameters
    ----------
    folder : Path
    name : str
        Of the weight set.

    Returns
    -------
    Path
        Of its ``.weights.h5`` file, which may not exist.
    """
    return folder / f"{name}{_SUFFIX}"


def _card_path(path: Path) -> Path:
    return path.with_name(f"{_stem(path)}.json")


def _stem(path: Path) -> str:
    return path.name.removesuffix(_SUFFIX)
