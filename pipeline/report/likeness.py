"""What the network sees in candidates, in a few bytes each: for "more like this", and odd ones."""

from pathlib import Path

import numpy as np

from lsbg_classifier.features import DIMENSIONS, fit_projection
from pipeline.report.data import packed, write_data

_SAMPLE = 4096
"""Candidates from which the directions of the features are found."""

_BATCH = 2048


def write_likeness(weights: str, cutouts: np.ndarray, have: np.ndarray, folder: Path) -> dict:
    """Write ``features.js`` and ``odd.js``: by what candidates are alike, and how odd they are.

    Oddness is the distance from the training set by which ``UNLIKE_TRAINING`` is set.

    Parameters
    ----------
    weights : str
        Name of the weight set.
    cutouts : array of uint8, shape (N, 64, 64, 3)
    have : array of bool, shape (N,)
        Which of them there are.
    folder : Path
        Exists.

    Returns
    -------
    dict
        What the page's data say of it: ``features``, numbers a candidate, and ``odd``, whether
        the weights know their training set; empty where there is no cutout.
    """
    from lsbg_classifier import load_classifier

    places = np.flatnonzero(have)
    if not len(places):
        return {}
    classifier = load_classifier(weights)
    features = np.zeros((len(have), DIMENSIONS), np.int8)
    odd = np.full(len(have), np.nan, np.float32)
    project = fit_projection(classifier.features(np.asarray(cutouts[sampled(places)])))
    for part in np.split(places, range(_BATCH, len(places), _BATCH)):
        images = np.asarray(cutouts[part])
        features[part] = project.apply(classifier.features(images))
        odd[part] = classifier.oddness(images)
    write_data(folder / "features.js", "features", packed(features.reshape(-1)))
    is_known = bool(np.isfinite(odd).any())
    if is_known:
        write_data(folder / "odd.js", "odd", packed(odd))
    return {"features": DIMENSIONS, "odd": is_known}


def sampled(places: np.ndarray) -> np.ndarray:
    """Return at most 4,096 of some places, spread evenly over all of them."""
    if len(places) <= _SAMPLE:
        return places
    return places[np.linspace(0, len(places) - 1, _SAMPLE).astype(int)]
