"""The card of a weight set: what it has seen, how it was made, how good it is."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.surveys import Imaging


@dataclass(frozen=True)
class Card:
    """Everything that must be known before a weight set's probabilities mean anything.

    Stored as JSON beside the weights, with these keys.

    Attributes
    ----------
    name : str
        Name that the weight set is asked for by.
    description : str
        One line for people: what it is for, and what sky it has seen.
    survey : str
        Survey of the training images.
    bands : tuple of str
        The three bands, blue to red.
    pixel_scale : float
        Arcseconds per pixel of the 64x64 cutout.
    stretch : str
        How fluxes became colours; see `lsbg_classifier.surveys.Imaging`.
    sample : str
        What it was trained on: how many, from where.
    recipe : str
        The command that makes it again.
    seed : int
        Seed of the training.
    limitations : str
        What it is not good at.
    licence : str
    sha256 : str
        Of the weights file.
    threshold : float
        Probability above which a candidate counts as an LSBG.
    scores : dict
        Measured scores: sample -> metric -> value.
    software : dict
        Versions it was trained with.
    """

    name: str
    description: str
    survey: str
    bands: tuple[str, ...]
    pixel_scale: float
    stretch: str
    sample: str
    recipe: str
    seed: int
    limitations: str
    licence: str
    sha256: str
    threshold: float = 0.5
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)

    @property
    def imaging(self) -> Imaging:
        """What the cutouts must show."""
        return Imaging(self.survey, self.bands, self.pixel_scale, self.stretch)

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read a card, or raise `InputError` that says what is wrong with it."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["bands"] = tuple(content["bands"])
            card = cls(**content)
            _check_types(card)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a card of a weight set ({error})") from error
        return card

    def write(self, path: Path):
        """Write the card as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def _check_types(card: Card):
    for item in fields(card):
        value = getattr(card, item.name)
        if item.type in (str, int, float) and not isinstance(value, (item.type, int)):
            raise TypeError(f"{item.name} must be {item.type.__name__}, not {value!r}")
    if not 0 < card.pixel_scale or not 0 <= card.threshold <= 1:
        raise ValueError("pixel_scale must be positive and threshold between 0 and 1")
