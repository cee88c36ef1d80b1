"""From sky positions to probabilities: the one function for users, commands and stages."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from catalogs.columns import DEFAULT_KEYS
from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.classifier import Classifier, load_classifier
from lsbg_classifier.cutouts.source import CutoutSource, fetch_usable, open_source
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS


@dataclass(frozen=True)
class Scores:
    """Scores of some positions, in their order.

    Attributes
    ----------
    probability : array of float32, shape (N,)
        NaN where the flags say that nothing may be scored.
    spread : array of float32, shape (N,), or None
        Standard deviation of the probability, NaN where it is; None if it was not asked for.
    flags : array of int16, shape (N,)
        Bits of `catalogs.flags.Flag`.
    cutouts : array of uint8, shape (N, 64, 64, 3)
        All zero where nothing may be scored.
    fetch_seconds, network_seconds : float
        Time on the clock.
    """

    probability: np.ndarray
    spread: np.ndarray | None
    flags: np.ndarray
    cutouts: np.ndarray
    fetch_seconds: float
    network_seconds: float


def classify_positions(
    positions,
    source: str | CutoutSource,
    classifier: str | os.PathLike | Classifier = DEFAULT_WEIGHTS,
    *,
    allow_mismatch: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that each position shows a low-surface-brightness galaxy.

    Parameters
    ----------
    positions : array-like of shape (N, 2), or astropy.coordinates.SkyCoord
        ICRS right ascension and declination in degrees, or angles with a unit. Right ascension
        is taken modulo 360 degrees. Masked values, NaN and declinations that are out of range
        are flagged.
    source : str or CutoutSource
        Where the images come from: a string as for `lsbg_classifier.open_source`, or a source
        that is open already, which is faster for many calls.
    classifier : str, path or Classifier
        The weights: a name or a path as for `lsbg_classifier.load_classifier`, or loaded already.
    allow_mismatch : bool
        Score although the weights were made for other images than the source gives.

    Returns
    -------
    probabilities : array of float32, shape (N,)
        NaN where the flags say that nothing may be scored.
    flags : array of int16, shape (N,)
        Bits of `lsbg_classifier.Flag`; 0: scored, with nothing to say.

    Raises
    ------
    InputError
        If source or weights are unknown or damaged, if the weights were made for other images,
        or if nothing can be fetched at all.
    ValueError
        If the positions have another shape or are no numbers. One bad position raises nothing.

    Examples
    --------
    Nothing is scored where the images do not reach; NaN and a flag say so:

    >>> from lsbg_classifier import Flag, classify_positions, open_catalog
    >>> catalog = open_catalog("demo/survey/candidates.fits")
    >>> positions = [[0.0, 80.0], *catalog.read_positions(0, 2)]
    >>> probabilities, flags = classify_positions(positions, "tiles:demo/survey/tiles")
    >>> probabilities[0], Flag(int(flags[0]))
    (np.float32(nan), <Flag.NO_COVERAGE: 2>)
    >>> probabilities.shape
    (3,)
    """
    if not isinstance(classifier, Classifier):
        classifier = load_classifier(classifier)
    with _opened(source) as source:
        if not allow_mismatch:
            check_match(classifier.card, source)
        scores = score_positions(positions, source, classifier)
    return scores.probability, scores.flags


def score_positions(
    positions,
    source: CutoutSource,
    classifier: Classifier,
    *,
    rows: np.ndarray | None = None,
    keys: Collection[str] = DEFAULT_KEYS,
) -> Scores:
    """Fetch the cutouts of positions and score those that can be scored.

    Parameters
    ----------
    positions : array-like of shape (N, 2), or SkyCoord
        As for `classify_positions`.
    source : CutoutSource
    classifier : Classifier
        Whether it suits the source is not checked here; see `check_match`.
    rows : array of int, shape (N,), optional
        Number of each candidate in its catalog, the seed of its spread; by default 0 to N - 1.
    keys : collection of str
        Which columns to find values for: keys of `catalogs.columns.OUTPUT_COLUMNS`.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If nothing can be fetched at all.
    ValueError
        If the positions have another shape or are no numbers.
    """
    start = time.perf_counter()
    cutouts, flags = fetch_usable(source.fetch, positions)
    fetched = time.perf_counter()
    usable = np.flatnonzero((flags & NOT_SCORED) == 0)
    images = cutouts if len(usable) == len(cutouts) else cutouts[usable]
    probability = _filled(len(flags), usable, classifier.predict(images))
    flags[usable] |= np.where(classifier.unlike_training(images), Flag.UNLIKE_TRAINING, 0)
    spread = None
    if "spread" in keys:
        numbers = np.arange(len(flags)) if rows is None else np.asarray(rows)
        spread = _filled(len(flags), usable, classifier.spread(images, numbers[usable]))
    seconds = fetched - start, time.perf_counter() - fetched
    return Scores(probability, spread, flags, cutouts, *seconds)


def check_match(card: Card, source: CutoutSource, allow: str = "allow_mismatch=True"):
    """Refuse weights that were made for other images than a source gives.

    Parameters
    ----------
    card : Card
        The card of the weights.
    source : CutoutSource
    allow : str
        What the message offers as a way to score nevertheless.

    Raises
    ------
    InputError
        If survey, bands, pixel scale or stretch differ.
    """
    differences = card.imaging.differences(source.imaging)
    if differences:
        raise InputError(
            f"{source.spec}: not the images that the weights {card.name!r} were made for: "
            f"{'; '.join(differences)}; use matching weights, or {allow}"
        )


def _filled(count: int, usable: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values at the usable places, NaN at the others; float32, shape (count,)."""
    filled = np.full(count, np.nan, np.float32)
    filled[usable] = values
    return filled


@contextmanager
def _opened(source: str | CutoutSource) -> Iterator[CutoutSource]:
    """Open a source that is named, and close it at the end, if it can be closed."""
    if not isinstance(source, str):
        yield source
        return
    opened = open_source(source)
    try:
        yield opened
    finally:
        getattr(opened, "close", lambda: None)()
