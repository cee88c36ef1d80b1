"""Write a weight set: half precision, and the card that describes it."""

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.likeness import Likeness
from lsbg_classifier.network import build_network, network_steps
from lsbg_classifier.networks.stored import write_description
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import WeightSet, at_path, weights_path
from lsbg_classifier.weights.seen import save_seen


def save_weight_set(
    network: keras.Model,
    card: Card,
    folder: Path,
    likeness: Likeness | None = None,
    seen: np.ndarray | None = None,
) -> WeightSet:
    """Save a network's weights and their card under the card's name.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    card : Card
        Names the network's architecture; its `sha256` is filled in.
    folder : Path
        Made if missing.
    likeness : Likeness, optional
        The check for cutouts unlike those trained on; kept in the same file.
    seen : array of uint64, optional
        Hashes of the cutouts trained on, see `lsbg_classifier.weights.seen`; kept there too.

    Returns
    -------
    WeightSet
    """
    check_name(card.name)
    folder.mkdir(parents=True, exist_ok=True)
    path = weights_path(folder, card.name)
    _save_half_precision(network, path, (likeness, seen), card.architecture)
    card = replace(card, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    card.write(path.with_name(f"{card.name}.json"))
    return at_path(path)


def check_name(name: str):
    """Raise `InputError` unless a weight set can be stored and found by this name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name.endswith(".weights.h5"):
        raise InputError(f"{name!r} is no name for weights: take letters, digits, '-' and '_'")


def _save_half_precision(
    network: keras.Model,
    path: Path,
    records: tuple[Likeness | None, np.ndarray | None],
    architecture: str,
):
    """Save the weights alone, as float16, and the steps of their network.

    `records` are the check of likeness and the hashes of the cutouts trained on, as far as there
    are any.
    """
    likeness, seen = records
    bare = build_network(architecture=architecture)
    bare.set_weights(network.get_weights())
    # names that no weight set can have
    full, half = path.with_name(f".{path.name}"), path.with_name(f".{path.name}.partial")
    try:
        bare.save_weights(full)
        with h5py.File(full) as source, h5py.File(half, "w") as target:
            source.visititems(lambda name, item: _copy_half(name, item, target))
        write_description(half, architecture, network_steps(bare))
        if likeness is not None:
            likeness.save(half)
        if seen is not None:
            save_seen(half, seen)
        os.replace(half, path)
    finally:
        full.unlink(missing_ok=True)
        half.unlink(missing_ok=True)


def _copy_half(name, item, target):
    if isinstance(item, h5py.Group):
        target.require_group(name).attrs.update(item.attrs)
    else:
        narrow = np.float16 if item.dtype == np.float32 else item.dtype
        target.create_dataset(name, data=item[()].astype(narrow)).attrs.update(item.attrs)
