"""Where weight sets are: in the package, in the user's folder, or at a path."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.weights.cards import Card

DEFAULT_WEIGHTS = "des-simulated"
"""The shipped set that is used when none is named."""

_SUFFIX = ".weights.h5"


@dataclass(frozen=True)
class WeightSet:
    """A card and the file it describes."""

    card: Card
    path: Path

    def check_intact(self):
        """Raise `InputError` unless the file is the one whose sha256 is on the card."""
        try:
            digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{self.path}: cannot read the weights ({error.strerror})") from error
        if digest != self.card.sha256:
            raise InputError(
                f"{self.path}: not the file that its card describes (sha256 differs); "
                "install the weight set again"
            )


def weights_folder() -> Path:
    """Return the user's folder of weight sets: ``LSBG_WEIGHTS`` or the XDG data folder."""
    if folder := os.environ.get("LSBG_WEIGHTS"):
        return Path(folder)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "lsbg_classifier" / "weights"


def known_weights() -> dict[str, WeightSet]:
    """Return all registered weight sets by name; the user's own hide shipped ones of that name."""
    sets = {}
    for folder in (Path(__file__).parent, weights_folder()):
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            found = _at(path)
            sets[found.card.name] = found
    return sets


def find_weights(name: str) -> WeightSet:
    """Find a weight set by name, or by the path of its ``.weights.h5`` file.

    Raises
    ------
    InputError
        If there is none; the message lists the names that exist.
    """
    if name.endswith(_SUFFIX):
        if not Path(name).is_file():
            raise InputError(f"{name}: no such file of weights")
        return _at(Path(name))
    sets = known_weights()
    if name not in sets:
        raise InputError(
            f"unknown weights {name!r}: choose one of {', '.join(sorted(sets))}, "
            f"or give the path of a *{_SUFFIX} file"
        )
    return sets[name]


def _at(path: Path) -> WeightSet:
    return WeightSet(Card.read(path.with_name(path.name.removesuffix(_SUFFIX) + ".json")), path)
