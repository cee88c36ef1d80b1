"""What a worker does with one unit: fetch the cutouts, score them."""

import time
from dataclasses import dataclass
from functools import cache
from threading import Lock

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import Classifier, CutoutSource, load_classifier, open_source


@dataclass(frozen=True)
class Work:
    """What every worker needs to know, small enough to travel with each unit.

    Attributes
    ----------
    cutouts : str
        The source; see `lsbg_classifier.open_source`.
    options : tuple of (str, value)
        Options of the source.
    weights : str
        Path of the weights file, the same on every worker.
    sha256 : str
        What the weights must be.
    """

    cutouts: str
    options: tuple[tuple[str, object], ...]
    weights: str
    sha256: str


@dataclass(frozen=True)
class Scored:
    """Results of one unit.

    Attributes
    ----------
    rows : array of int64, shape (n,)
    probabilities : array of float32, shape (n,)
        NaN where not scored.
    flags : array of int16, shape (n,)
    fetch_seconds, network_seconds : float
    """

    rows: np.ndarray
    probabilities: np.ndarray
    flags: np.ndarray
    fetch_seconds: float
    network_seconds: float


def score(rows: np.ndarray, positions: np.ndarray, work: Work) -> Scored:
    """Fetch and score the candidates at `positions`, degrees, shape (n, 2)."""
    with _opening:
        source, classifier = _open(work)
    start = time.perf_counter()
    cutouts, flags = source.fetch(positions)
    fetched = time.perf_counter()
    probabilities = np.full(len(rows), np.nan, np.float32)
    usable = (flags & NOT_SCORED) == 0
    probabilities[usable] = classifier.predict(cutouts[usable])
    return Scored(rows, probabilities, flags, fetched - start, time.perf_counter() - fetched)


_opening = Lock()


@cache
def _open(work: Work) -> tuple[CutoutSource, Classifier]:
    """Open the source and load the weights, once a process."""
    classifier = load_classifier(work.weights)
    if classifier.card.sha256 != work.sha256:
        raise InputError(f"{work.weights}: this worker has other weights than the job; copy them")
    return open_source(work.cutouts, **dict(work.options)), classifier
