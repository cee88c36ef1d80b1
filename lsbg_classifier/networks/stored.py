"""The steps and weights of a network as they lie in files, read without Keras."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np

from lsbg_classifier.networks.steps import Step

_GROUP, _NAME = "network", "steps"

_OF_TRAINING = re.compile(
    "name|trainable|dtype|seed|build_config|batch_shape|batch_input_shape|sparse|optional|ragged"
    "|momentum|synchronized|renorm.*|lora.*|quantization.*|.*_(initializer|regularizer|constraint)"
)
"""Options of layers that decide nothing once a network is trained."""


def described(steps: Sequence[Step]) -> list[dict]:
    """Return steps as JSON values: numbers in place of names, and only what decides the result."""
    numbers = {step.name: number for number, step in enumerate(steps)}
    return [
        {
            "kind": step.kind,
            "inputs": [numbers[name] for name in step.inputs],
            **{key: _plain(value) for key, value in step.config.items() if _decides(key)},
        }
        for step in steps
    ]


def steps_described(description: Sequence[dict]) -> list[Step]:
    """Return the steps of a description; raises KeyError or TypeError if it is none."""
    return [
        Step(str(number), layer["kind"], layer, tuple(map(str, layer["inputs"])))
        for number, layer in enumerate(description)
    ]


def write_steps(path: Path, steps: Sequence[Step]):
    """Add the description of a network to the file of its weights."""
    text = json.dumps(described(steps), separators=(",", ":"))
    with h5py.File(path, "a") as file:
        file.create_group(_GROUP)[_NAME] = np.frombuffer(text.encode(), np.uint8)


def read_description(path: Path, architecture: str) -> list[dict] | None:
    """Read the description of a network from the file of its weights.

    Parameters
    ----------
    path : Path
    architecture : str
        For files without one: a network of this package may have its description beside its code.

    Returns
    -------
    list of dict, or None
        None if there is none.

    Raises
    ------
    OSError, KeyError, ValueError, TypeError
        If the file is damaged.
    """
    with h5py.File(path) as file:
        if _GROUP in file:
            return json.loads(file[_GROUP][_NAME][()].tobytes())
    shipped = files(__package__) / f"{architecture}.json"
    return json.loads(shipped.read_text(encoding="utf-8")) if shipped.is_file() else None


def read_weights(path: Path, steps: Sequence[Step]) -> dict[str, list[np.ndarray]]:
    """Read the weights of each step, float32, by its name, from a file that Keras has written.

    Keras calls the layers in it by their classes, and numbers those of one class.

    Raises
    ------
    OSError, KeyError, TypeError
        If the file is damaged.
    ValueError
        If it holds other layers, or numbers that are not finite.
    """
    kinds, weights = Counter(), {}
    with h5py.File(path) as file:
        groups = file["layers"]
        for step in steps:
            name = _snake_case(step.kind)
            number, kinds[name] = kinds[name], kinds[name] + 1
            name = f"{name}_{number}" if number else name
            if name in groups and "vars" in groups[name]:
                arrays = groups[name]["vars"]
                weights[step.name] = [
                    arrays[str(index)][()].astype(np.float32) for index in range(len(arrays))
                ]
        total = _size(groups)
    read = [array for arrays in weights.values() for array in arrays]
    if sum(array.size for array in read) != total:
        raise ValueError(f"{total} weights, not all of which belong to a layer")
    if not all(np.isfinite(array).all() for array in read):
        raise ValueError("some weights are not finite")
    return weights


def _decides(key: str) -> bool:
    return not _OF_TRAINING.fullmatch(key)


def _plain(value):
    """Return a value as JSON would give it back."""
    return list(value) if isinstance(value, tuple) else value


def _size(group: h5py.Group) -> int:
    sizes = []
    group.visititems(
        lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None
    )
    return sum(sizes)


def _snake_case(kind: str) -> str:
    """Return the name that Keras gives to layers of a class: ``re_lu`` for ``ReLU``."""
    kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()
