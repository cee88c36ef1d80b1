"""The steps and weights of a network as they lie in files, read without Keras."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np

from catalogs.errors import one_line
from lsbg_classifier.networks.steps import Step

_GROUP, _NAME = "network", "steps"

_OF_TRAINING = re.compile(
    "name|trainable|dtype|seed|build_config|batch_shape|batch_input_shape|sparse|optional|ragged"
    "|momentum|synchronized|renorm.*|lora.*|quantization.*|.*_(initializer|regularizer|constraint)"
)
"""Options of layers that decide nothing once a network is trained."""


class DamagedWeightsError(ValueError):
    """A file of weights is not of its network."""


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


def write_description(path: Path, architecture: str, steps: Sequence[Step]):
    """Add the description of a network to the file of its weights.

    Parameters
    ----------
    path : Path
        Of the file, which Keras has written.
    architecture : str
        Name of the network.
    steps : sequence of Step
    """
    text = json.dumps(described(steps), separators=(",", ":"))
    with h5py.File(path, "a") as file:
        group = file.create_group(_GROUP)
        group.attrs["architecture"] = architecture
        group[_NAME] = np.frombuffer(text.encode(), np.uint8)


def read_description(path: Path, architecture: str) -> list[dict] | None:
    """Read the description of a network from the file of its weights.

    Parameters
    ----------
    path : Path
    architecture : str
        Name of the network on the card. For files without a description: a network of this package
        may have one beside its code.

    Returns
    -------
    list of dict, or None
        None if there is none.

    Raises
    ------
    OSError, KeyError, ValueError, TypeError
        If the file is damaged, or of another network.
    """
    with h5py.File(path) as file:
        if _GROUP in file:
            group = file[_GROUP]
            if group.attrs["architecture"] != architecture:
                raise ValueError(f"they are of the network {group.attrs['architecture']}")
            return json.loads(group[_NAME][()].tobytes())
    shipped = files(__package__) / f"{architecture}.json"
    return json.loads(shipped.read_text(encoding="utf-8")) if shipped.is_file() else None


def check_description(path: Path, architecture: str, steps: Sequence[Step]):
    """Check that a file of weights was made for the network that the code builds.

    Parameters
    ----------
    path : Path
    architecture : str
        Name of the network on the card.
    steps : sequence of Step
        Of the network that the code builds. Options that only one version of Keras knows are not
        compared.

    Raises
    ------
    OSError, KeyError, ValueError, TypeError
        If it was made for another network, or the file is damaged; see `read_description`. A file
        without a description passes.
    """
    stored = read_description(path, architecture)
    if stored is None:
        return
    built = described(steps)
    if len(stored) != len(built):
        raise ValueError(f"they are of {len(stored)} layers, and the network has {len(built)}")
    for number, (one, other) in enumerate(zip(stored, built, strict=True)):
        for key in one.keys() & other.keys():
            if one[key] != other[key]:
                raise ValueError(
                    f"layer {number} has {key} {other[key]!r}, and had {one[key]!r} when it was "
                    "trained"
                )


def read_weights(path: Path, steps: Sequence[Step]) -> dict[str, list[np.ndarray]]:
    """Read the weights of a network from a file that Keras has written.

    Keras calls the layers in it by their classes, and numbers those of one class.

    Parameters
    ----------
    path : Path
    steps : sequence of Step
        The network, in the order in which Keras has built it.

    Returns
    -------
    dict of str to list of array of float32
        By the name of the step, in Keras' order; steps without weights are left out.

    Raises
    ------
    DamagedWeightsError
        If the file is damaged, or holds other layers, or numbers that are not finite.
    """
    try:
        with h5py.File(path) as file:
            groups = file["layers"]
            arrays = {name: _arrays(groups[group]) for name, group in _groups(steps, groups)}
            total = _size(groups)
    except (OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise DamagedWeightsError(one_line(error)) from error
    read = [array for of_step in arrays.values() for array in of_step]
    if sum(array.size for array in read) != total:
        raise DamagedWeightsError(f"{total} parameters, not all of which belong to a layer")
    if not all(np.isfinite(array).all() for array in read):
        raise DamagedWeightsError("some weights are not finite")
    return arrays


def _groups(steps: Sequence[Step], groups: h5py.Group) -> Iterator[tuple[str, str]]:
    """Give the steps that have weights, and the names of their groups."""
    kinds: Counter[str] = Counter()
    for step in steps:
        kind = _snake_case(step.kind)
        name = f"{kind}_{kinds[kind]}" if kinds[kind] else kind
        kinds[kind] += 1
        if name in groups and "vars" in groups[name]:
            yield step.name, name


def _arrays(group: h5py.Group) -> list[np.ndarray]:
    arrays = group["vars"]
    return [arrays[str(number)][()].astype(np.float32) for number in range(len(arrays))]


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
