"""The card of a weight set: what it has seen, how it was made, how good it is."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from catalogs.errors import InputError
from lsbg_classifier.networks.registry import DEFAULT_NETWORK
from lsbg_classifier.surveys import Imaging
from lsbg_classifier.weights.thresholds import is_table

_LARGEST = 2**20
"""Size in bytes beyond which a file is no card; a card has some thousand."""


@dataclass(frozen=True)
class Card:
    """Description of a weight set: all that is needed to judge its probabilities.

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
    prior : float
        Fraction of LSBGs among the candidates that the probabilities are for.
    temperature : float
        What divides the logits of calibrated probabilities; 1: as the network gives them.
    scores : dict
        Measured scores: sample -> metric -> value.
    thresholds : dict
        What each threshold keeps and takes, of the probabilities as the set ships:
        sample -> column -> values; see `lsbg_classifier.weights.thresholds`.
    software : dict
        Versions it was trained with.
    architecture : str
        Name of the network; see `lsbg_classifier.networks.registry`. Cards without it are of
        DeepShadows.
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
    prior: float = 0.5
    temperature: float = 1.0
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)
    architecture: str = DEFAULT_NETWORK

    @property
    def imaging(self) -> Imaging:
        """What the cutouts must show."""
        return Imaging(self.survey, self.bands, self.pixel_scale, self.stretch)

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read a card, or raise `InputError` that says what is wrong with it."""
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"more than {_LARGEST} bytes")
            return cls(**_checked(json.loads(path.read_text(encoding="utf-8"))))
        except OSError as error:
            raise InputError(
                f"{path}: cannot read the card of a weight set ({error.strerror})"
            ) from error
        except (ValueError, OverflowError, RecursionError) as error:
            raise InputError(f"{path}: not a card of a weight set ({error})") from error

    def write(self, path: Path):
        """Write the card as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def _checked(content: object) -> dict:
    """Return the keys and values of a card's JSON, or raise ValueError."""
    if not isinstance(content, dict):
        raise ValueError("it must be a JSON object")
    items = {item.name: item for item in fields(Card)}
    for key in content:
        if key not in items:
            raise ValueError(f"unknown key {shortened(key)}")
    for name, item in items.items():
        if name in content:
            is_right, wanted = _KINDS[item.type]
            if not is_right(content[name]):
                raise ValueError(f"{name} must be {wanted}, not {shortened(content[name])}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"no key {name!r}")
    for name in ("pixel_scale", "temperature"):
        if content.get(name, 1) <= 0:
            raise ValueError(f"{name} must be positive")
    for name in ("threshold", "prior"):
        if not 0 <= content.get(name, 0.5) <= 1:
            raise ValueError(f"{name} must be between 0 and 1")
    return content | {"bands": tuple(content["bands"])}


def _is_text(value):
    return isinstance(value, str) and value.isprintable()


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_mapping(value, is_right):
    """Whether all keys are texts, and `is_right` for all values."""
    return isinstance(value, dict) and all(
        _is_text(key) and is_right(item) for key, item in value.items()
    )


_KINDS: Mapping[Any, tuple[Callable[[Any], bool], str]] = {
    str: (_is_text, "text on one line"),
    int: (lambda value: _is_number(value) and isinstance(value, int), "a whole number"),
    float: (lambda value: _is_number(value) and math.isfinite(value), "a finite number"),
    tuple[str, ...]: (
        lambda value: isinstance(value, list) and len(value) == 3 and all(map(_is_text, value)),
        "a list of three bands",
    ),
    dict[str, dict[str, float]]: (
        lambda value: _is_mapping(value, lambda scores: _is_mapping(scores, _is_number)),
        "scores by sample and metric",
    ),
    dict[str, dict[str, list[float]]]: (
        lambda value: _is_mapping(value, is_table),
        "tables of thresholds by sample",
    ),
    dict[str, str]: (lambda value: _is_mapping(value, _is_text), "versions by name"),
}
"""For each type of a card's attributes: what JSON may hold there, and how to call that."""
