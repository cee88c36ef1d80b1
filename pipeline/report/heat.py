"""Heat maps: where in a cutout the network sees an LSBG, for the page to lay over the picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from catalogs import InputError
from lsbg_classifier.weights.registry import find_weights
from pipeline.report.data import packed, write_data

PER_FILE = 100
"""Heat maps in a file of the page's data."""


def find_used_weights(provenance: Mapping[str, str]) -> str:
    """Return the name of the weights that gave the probabilities.

    Raises
    ------
    InputError
        If the catalog does not say which, or they are not on this machine.
    """
    name = provenance.get("weights")
    if name is None:
        raise InputError("the catalog does not say which weights it was annotated with")
    weight_set = find_weights(name)
    if weight_set.card.sha256 != provenance.get("weights_sha256", weight_set.card.sha256):
        raise InputError(f"the weights {name} on this machine are not those of the catalog")
    return name


def write_heat_maps(weights: str, cutouts: np.ndarray, have: np.ndarray, folder: Path):
    """Write which places of cutouts speak for an LSBG, each map scaled to its own highest value.

    These are Grad-CAM without its average over the image, which leaves most maps empty: see
    `lsbg_classifier.training.gradcam.contribution_maps`.

    Parameters
    ----------
    weights : str
        Name of the weight set.
    cutouts : array of uint8, shape (N, 64, 64, 3)
    have : array of bool, shape (N,)
        Which of them there are; the others get maps of zeros.
    folder : Path
        Made here; a file of 100 maps each, 16x16 uint8.
    """
    from lsbg_classifier import load_classifier

    classifier = load_classifier(weights)
    folder.mkdir()
    maps = classifier.contribution_maps(cutouts)
    top = maps.max(axis=(1, 2), keepdims=True)
    scaled = np.where(have[:, None, None] & (top > 0), maps / np.where(top > 0, top, 1), 0)
    scaled = np.round(255 * scaled).astype(np.uint8)
    for number, start in enumerate(range(0, len(scaled), PER_FILE)):
        part = scaled[start : start + PER_FILE]
        write_data(folder / f"{number}.js", "heat", [number, packed(part.reshape(-1))])
