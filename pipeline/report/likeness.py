"""What the network sees in candidates, in a few bytes each: for "more like this", and odd ones."""

from itertools import chain
from pathlib import Path

import numpy as np

from lsbg_classifier.features import DIMENSIONS, fit_projection, fitted_rows
from pipeline.report.candidates import Candidates
from pipeline.report.data import packed, write_data

_BATCH = 2048


def write_likeness(
    weights: str,
    candidates: Candidates,
    rows: np.ndarray,
    cutouts: np.ndarray,
    have: np.ndarray,
    folder: Path,
) -> dict:
    """Write ``features.js`` and ``odd.js``: by what candidates are alike, and how odd they are.

    Oddness is the distance from the training set by which ``UNLIKE_TRAINING`` is set. Both are read
    from the file that `lsbg similar` keeps beside the catalog, where it has all candidates of the
    gallery, and computed in the same way where it has not.

    Parameters
    ----------
    weights : str
        Name of those that gave the probabilities.
    candidates : Candidates
    rows : array of int64, shape (N,)
        Those of the gallery.
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
    if not have.any():
        return {}
    features, odd = _stored(candidates, rows, have) or _computed(weights, rows, cutouts, have)
    write_data(folder / "features.js", "features", packed(features.reshape(-1)))
    is_known = bool(np.isfinite(odd).any())
    if is_known:
        write_data(folder / "odd.js", "odd", packed(odd))
    return {"features": DIMENSIONS, "odd": is_known}


def _stored(candidates, rows, have) -> tuple[np.ndarray, np.ndarray] | None:
    """Look features and oddness up in the file beside the catalog, if it has all of them."""
    from pipeline.make_features import stored_features  # it reads reports' pictures itself

    stored = stored_features(candidates)
    if stored is None:
        return None
    features, odd, known = stored.at(rows)
    return None if (have & ~known).any() else (features, odd)


def _computed(weights, rows, cutouts, have) -> tuple[np.ndarray, np.ndarray]:
    """Let the network look at each cutout once: first at those that tell the directions."""
    from lsbg_classifier import load_classifier

    classifier = load_classifier(weights)
    features = np.zeros((len(rows), DIMENSIONS), np.int8)
    odd = np.full(len(rows), np.nan, np.float32)

    def seen(places):
        for part in np.split(places, range(_BATCH, len(places), _BATCH)):
            images = np.asarray(cutouts[part])
            odd[part] = classifier.oddness(images)
            yield part, classifier.features(images)

    is_fitted = np.isin(rows, fitted_rows(rows[have]))
    first = list(seen(np.flatnonzero(is_fitted)))
    projection = fit_projection(np.concatenate([values for _, values in first]))
    for part, values in chain(first, seen(np.flatnonzero(have & ~is_fitted))):
        features[part] = projection.apply(values)
    return features, odd
