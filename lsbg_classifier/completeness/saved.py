"""A measured completeness, read back from the file that `lsbg completeness` writes."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.completeness.counts import CompletenessMap
from lsbg_classifier.completeness.measure import Settings
from lsbg_classifier.completeness.model import CompletenessModel

_PARTS = ("recovered", "fraction", "low", "high")


@dataclass(frozen=True)
class SavedCompleteness:
    """What a ``completeness.json`` holds.

    Attributes
    ----------
    mocks : int
    settings : Settings
    steps : dict of str to dict
        By step: ``recovered``, ``fraction``, ``low``, ``high`` and ``by_chance``.
    map : CompletenessMap
    limits : list of dict
        By bin of the effective radius.
    model : CompletenessModel or None
    """

    mocks: int
    settings: Settings
    steps: dict[str, dict]
    map: CompletenessMap
    limits: list[dict]
    model: CompletenessModel | None

    @classmethod
    def read(cls, path: Path | str) -> "SavedCompleteness":
        """Read the file.

        Raises
        ------
        InputError
            If it is not such a file.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            model = content["model"]
            return cls(
                int(content["mocks"]),
                _settings(content["settings"]),
                dict(content["steps"]),
                _map(content["map"]),
                list(content["limits"]),
                model and CompletenessModel.of_json(model["parameters"]),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or "it lacks parts of one"
            raise InputError(f"{path}: not a measured completeness ({reason})") from error


def _settings(values: dict) -> Settings:
    names = [field.name for field in fields(Settings) if field.name in values]
    used: dict[str, Any] = {name: values[name] for name in names}
    if "radius_edges" in used:
        used["radius_edges"] = tuple(used["radius_edges"])
    return Settings(**used)


def _map(values: dict) -> CompletenessMap:
    steps: dict[str, Any] = {
        name: tuple(np.array(parts[part], float) for part in _PARTS)
        for name, parts in values["steps"].items()
    }
    brightness = np.array(values["brightness_edges"], float)
    radius = np.array(values["radius_edges"], float)
    return CompletenessMap(brightness, radius, np.array(values["mocks"]), steps)
