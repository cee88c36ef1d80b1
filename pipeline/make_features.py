"""Compute how the network sees all candidates of an annotated catalog, once, in little memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from catalogs import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.classifier import Classifier
from lsbg_classifier.features import Projection, fit_projection
from lsbg_classifier.weights.registry import find_weights
from pipeline.feature_file import FeatureFile, Features, features_path, writing_features
from pipeline.report.candidates import Candidates
from pipeline.report.heat import find_used_weights
from pipeline.report.pictures import Pictures

Progress = Callable[[int, int], None]

_BLOCK = 2048
"""Candidates whose cutouts are in memory at once: 25 MB."""

_AHEAD = 3
"""Blocks that are read while the network runs on another."""

_FITTED = 8192
"""Candidates of which the directions of the features are found."""

_SEED = 20211


def make_features(
    candidates: Candidates,
    pictures: Pictures,
    weights: str | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FeatureFile:
    """Compute the features of all candidates that have a cutout, once, into a file beside it.

    Parameters
    ----------
    candidates : Candidates
    pictures : Pictures
        Where their cutouts are.
    weights : str, optional
        Weights whose network looks; none: those of the catalog.
    overwrite : bool
        Make the file again.
    progress : callable, optional
        Called with (candidates done, candidates in all).

    Returns
    -------
    FeatureFile
        The one that is there already, if it was made of the same.

    Raises
    ------
    InputError
        If there are no cutouts, the weights are unknown, or the file was made of another run.
    """
    path = features_path(candidates.catalog.path)
    made_of, name = what_features_are_of(candidates, weights)
    if path.exists() and not overwrite:
        file = FeatureFile(path)
        file.check(made_of)
        return file
    if pictures.imaging is None:
        raise InputError(
            f"{candidates.catalog.path}: has no features yet, which need its cutouts: keep them "
            "with lsbg classify --keep-cutouts, or name a source with --cutouts"
        )
    rows = _in_order(_rows_with_cutouts(candidates, pictures), pictures)
    classifier = load_classifier(name)
    projection = _fitted(rows, pictures, classifier)
    with writing_features(path, made_of) as writer:
        done = 0
        for block in _blocks(rows, pictures, classifier, projection):
            writer.add(block)
            done += _BLOCK
            if progress is not None:
                progress(min(done, len(rows)), len(rows))
    return FeatureFile(path)


def stored_features(candidates: Candidates) -> Features | None:
    """Return the features beside a catalog, if they are there and of this run."""
    path = features_path(candidates.catalog.path)
    if not path.exists():
        return None
    try:
        file = FeatureFile(path)
        file.check(what_features_are_of(candidates)[0])
        return file.read()
    except InputError:
        return None


def what_features_are_of(
    candidates: Candidates, weights: str | None = None
) -> tuple[dict[str, object], str]:
    """Return what tells features from those of another run, and the name of the weights.

    Parameters
    ----------
    candidates : Candidates
    weights : str, optional
        Name or path; none: those of the catalog.

    Returns
    -------
    made_of : dict
        For `FeatureFile.check`.
    name : str

    Raises
    ------
    InputError
        If the weights are not on this machine.
    """
    provenance = candidates.catalog.provenance()
    name = find_used_weights(provenance) if weights is None else weights
    return {
        "rows": candidates.catalog.row_count,
        "weights": find_weights(name).card.sha256,
        "candidates": candidates.identity,
    }, name


def _rows_with_cutouts(candidates: Candidates, pictures: Pictures) -> np.ndarray:
    if pictures.source is None and pictures.kept is not None:
        return pictures.kept.rows
    return candidates.scored


def _in_order(rows: np.ndarray, pictures: Pictures) -> np.ndarray:
    """Return rows as their cutouts are best read."""
    return rows[pictures.order(rows)]


def _fitted(rows: np.ndarray, pictures: Pictures, classifier: Classifier) -> Projection:
    """Find the directions of the features of candidates drawn at random."""
    rng = np.random.default_rng(_SEED)
    drawn = rows if len(rows) <= _FITTED else np.sort(rng.choice(rows, _FITTED, replace=False))
    drawn = _in_order(drawn, pictures)
    parts = [classifier.features(cutouts[have]) for _, cutouts, have in _cutouts(drawn, pictures)]
    if not sum(map(len, parts)):
        raise InputError("no candidate has a cutout, so that none can be compared")
    return fit_projection(np.concatenate(parts))


def _blocks(rows, pictures, classifier, projection) -> Iterator[Features]:
    for block, cutouts, have in _cutouts(rows, pictures):
        images = cutouts[have]
        features = projection.apply(classifier.features(images))
        yield Features(block[have], features, classifier.oddness(images))


def _cutouts(rows: np.ndarray, pictures: Pictures) -> Iterator[tuple]:
    """Give rows, cutouts and which there are, a block at a time, a few blocks read ahead."""
    parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting = [pool.submit(pictures.read, part) for part in parts[:_AHEAD]]
        for number, part in enumerate(parts):
            cutouts, have = waiting.pop(0).result()
            if number + _AHEAD < len(parts):
                waiting.append(pool.submit(pictures.read, parts[number + _AHEAD]))
            yield part, cutouts, have
