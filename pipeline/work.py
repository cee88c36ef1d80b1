"""What a worker does with one unit: fetch the cutouts, score them."""

from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import Classifier, CutoutSource, load_classifier, open_source
from lsbg_classifier.scoring import score_positions


@dataclass(frozen=True)
class Work:
    """What every worker needs to know, small enough to travel with each unit.

    Attributes
    ----------
    run : str
        Names the run: a worker that outlives it opens the source anew for the next.
    cutouts : str
        The source; see `lsbg_classifier.open_source`.
    options : tuple of (str, value)
        Options of the source.
    weights : str
        Path of the weights file, the same on every worker.
    sha256 : str
        What the weights must be.
    keep_cutouts : bool
        Whether the cutouts travel back with the results.
    """

    run: str
    cutouts: str = field(repr=False)  # workers log what failed, and a URL may hold a password
    options: tuple[tuple[str, object], ...] = field(repr=False)
    weights: str
    sha256: str
    keep_cutouts: bool = False


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
    cutouts : array of uint8, shape (m, 64, 64, 3), or None
        Of the m rows that were scored, where they are asked for.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    flags: np.ndarray
    fetch_seconds: float
    network_seconds: float
    cutouts: np.ndarray | None = None


def score(rows: np.ndarray, positions: np.ndarray, work: Work) -> Scored:
    """Fetch and score the candidates at `positions`, degrees, shape (n, 2)."""
    with _opening:
        source, classifier = _source(work), _classifier(work.weights, work.sha256)
    scores = score_positions(positions, source, classifier, rows=rows)
    scored = (scores.flags & NOT_SCORED) == 0
    return Scored(
        rows,
        scores.probability,
        scores.flags,
        scores.fetch_seconds,
        scores.network_seconds,
        scores.cutouts[scored] if work.keep_cutouts else None,
    )


_opening = Lock()


@lru_cache(maxsize=8)
def _source(work: Work) -> CutoutSource:
    """Open the source, once a process and run."""
    return open_source(work.cutouts, **dict(work.options))


@lru_cache(maxsize=8)
def _classifier(path: str, sha256: str) -> Classifier:
    """Load the weights, once a process."""
    classifier = load_classifier(path)
    if classifier.card.sha256 != sha256:
        raise InputError(f"{path}: this worker has other weights than the job; copy them")
    return classifier
