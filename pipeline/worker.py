"""What a worker does with one unit of work: fetch the cutouts, score them."""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import Classifier, CutoutSource, load_classifier, open_source
from lsbg_classifier.reasons import Reason, left_to_caller, take_reasons
from lsbg_classifier.scoring import Scores, score_positions
from pipeline.journal import record_dtype


@dataclass(frozen=True)
class WorkerSettings:
    """What every worker needs to know, small enough to travel with each unit.

    Attributes
    ----------
    run : str
        Names the run: a worker that outlives it opens the source anew for the next.
    cutouts : str
        The source; see `lsbg_classifier.open_source`.
    source_options : tuple of (str, value)
        Options of the source.
    weights : str
        Path of the weights file, the same on every worker.
    sha256 : str
        What the weights must be.
    engine : str
        What runs the network; see `lsbg_classifier.load_classifier`.
    keys : tuple of str
        Keys of the columns to compute; see `catalogs.columns.OUTPUT_COLUMNS`.
    keep_cutouts : bool
        Whether the cutouts travel back with the results.
    prior : float, optional
        Fraction of LSBGs that the probabilities are for; none: that on the card.
    """

    run: str
    cutouts: str = field(repr=False)  # workers log what failed, and a URL may hold a password
    source_options: tuple[tuple[str, object], ...] = field(repr=False)
    weights: str
    sha256: str
    engine: str
    keys: tuple[str, ...]
    keep_cutouts: bool = False
    prior: float | None = None


@dataclass(frozen=True)
class UnitResult:
    """Results of one unit.

    Attributes
    ----------
    records : structured array, shape (n,)
        Row and value of each column; see `pipeline.journal.record_dtype`.
    positions : array of float64, shape (n, 2)
        Degrees of the rows.
    cutouts : array of uint8, shape (m, 64, 64, 3), or None
        Of the m rows that were scored, where they are asked for.
    reasons : Counter of Reason
        Why candidates have no usable image: of this unit, or of others in the same process.
    fetch_seconds, network_seconds : float
    """

    records: np.ndarray
    positions: np.ndarray
    cutouts: np.ndarray | None
    reasons: Counter[Reason]
    fetch_seconds: float
    network_seconds: float

    @property
    def scored(self) -> np.ndarray:
        """Whether each row got a score; bool, shape (n,)."""
        return self.records["flags"] & NOT_SCORED == 0


def score_unit(rows: np.ndarray, positions: np.ndarray, settings: WorkerSettings) -> UnitResult:
    """Fetch and score the candidates of one unit.

    Parameters
    ----------
    rows : array of int64, shape (n,)
        Numbers of the candidates in their catalog.
    positions : array of float64, shape (n, 2)
        Right ascension and declination in degrees.
    settings : WorkerSettings

    Returns
    -------
    UnitResult
    """
    classifier = loaded_classifier(
        settings.weights, settings.sha256, settings.engine, settings.prior
    )
    source = opened_source(settings)
    with left_to_caller():
        scores = score_positions(positions, source, classifier, rows=rows, keys=settings.keys)
    records = _records(rows, scores, settings.keys)
    usable = (scores.flags & NOT_SCORED) == 0
    cutouts = scores.cutouts[usable] if settings.keep_cutouts else None
    seconds = scores.fetch_seconds, scores.network_seconds
    return UnitResult(records, positions, cutouts, take_reasons(), *seconds)


def _records(rows: np.ndarray, scores: Scores, keys: tuple[str, ...]) -> np.ndarray:
    """Put scores into records: each column is the attribute of its key."""
    records = np.empty(len(rows), record_dtype(keys))
    records["row"] = rows
    for key in keys:
        records[key] = getattr(scores, key)
    return records


_opening = Lock()


def opened_source(settings: WorkerSettings) -> CutoutSource:
    """Return the source, opened once a process and run."""
    with _opening:
        return _source(settings)


@lru_cache(maxsize=8)
def _source(settings: WorkerSettings) -> CutoutSource:
    """Open the source, once a process and run."""
    return open_source(settings.cutouts, **dict(settings.source_options))


def loaded_classifier(
    path: str, sha256: str, engine: str, prior: float | None = None
) -> Classifier:
    """Return a classifier that is loaded once a process.

    Parameters
    ----------
    path : str
        The weights file.
    sha256 : str
        What the weights must be.
    engine : str
        What runs the network.
    prior : float, optional
        Fraction of LSBGs that the probabilities are for; none: that on the card.

    Returns
    -------
    Classifier

    Raises
    ------
    InputError
        If the weights cannot be loaded, or are others.
    """
    with _opening:
        return _classifier(path, sha256, engine, prior)


@lru_cache(maxsize=8)
def _classifier(path: str, sha256: str, engine: str, prior: float | None) -> Classifier:
    classifier = load_classifier(path, engine, prior)
    if classifier.card.sha256 != sha256:
        raise InputError(f"{path}: this worker has other weights than the job; copy them")
    return classifier
