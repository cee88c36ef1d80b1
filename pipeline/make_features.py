"""Compute how the network sees all candidates of an annotated catalog, once, in little memory."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from catalogs import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.classifier import Classifier
from lsbg_classifier.features import fit_projection, fitted_rows
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
        Replace a file that is damaged or was made of another run.
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
    if path.exists():
        try:
            file = FeatureFile(path)
            file.check(made_of)
        except InputError:
            if not overwrite:
                raise
        else:
            return file
    if pictures.imaging is None:
        raise InputError(
            f"{candidates.catalog.path}: has no features yet, which need its cutouts: keep them "
            "with lsbg classify --keep-cutouts, or name a source with --cutouts"
        )
    rows = _rows_with_cutouts(candidates, pictures)
    _write(path, made_of, rows, _Eye(pictures, load_classifier(name), len(rows), progress))
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


@dataclass
class _Eye:
    """Reads cutouts and lets the network look at them; tells of how many it did."""

    pictures: Pictures
    classifier: Classifier
    total: int
    progress: Progress | None
    done: int = 0

    def see(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Give rows that have a cutout, features (K, M) and oddness, a block at a time."""
        rows = rows[self.pictures.order(rows)]
        for block, cutouts, have in _cutouts(rows, self.pictures):
            images = cutouts[have]
            yield block[have], self.classifier.features(images), self.classifier.oddness(images)
            self.done += len(block)
            if self.progress is not None:
                self.progress(self.done, self.total)


def _write(path: Path, made_of: Mapping[str, object], rows: np.ndarray, eye: _Eye):
    """Find the directions by some candidates, and write what is kept of all; each is read once."""
    fitted = fitted_rows(rows)
    seen = list(eye.see(fitted))
    if not any(len(block) for block, *_ in seen):
        raise InputError(f"{path}: no candidate has a cutout, so that none can be compared")
    projection = fit_projection(np.concatenate([features for _, features, _ in seen]))
    others = eye.see(np.setdiff1d(rows, fitted))
    with writing_features(path, made_of) as writer:
        for block, features, oddness in chain(seen, others):
            writer.add(Features(block, projection.apply(features), oddness))


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
