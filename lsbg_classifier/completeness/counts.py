"""Fractions of mocks that come back, with binomial intervals, in bins of their properties."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.stats import binom_conf_interval

STEPS = ("covered", "detected", "selected", "scored", "above")
"""What a mock passes, one after the other: its centre lies on sound pixels of all bands; a
detection matches it; the cut keeps that; the network gives it a probability; and that is above
the threshold."""

_RESAMPLES = 300
_LIMIT_STEP, _LEAST_IN_BIN = 0.5, 5
"""mag/arcsec2 of the bins that limits are found in, and the mocks that such a bin needs."""


@dataclass(frozen=True)
class Fraction:
    """A number of mocks, how many of them came back, and the interval of the fraction."""

    mocks: int
    recovered: int
    fraction: float
    low: float
    high: float


def fraction_of(recovered: np.ndarray, level: float) -> Fraction:
    """Count, with the interval of Wilson (1927) for a binomial fraction.

    Parameters
    ----------
    recovered : array of bool, shape (mocks,)
    level : float
        Probability content of the interval, such as 0.683.

    Returns
    -------
    Fraction
        NaN where there are no mocks.
    """
    mocks, count = len(recovered), int(np.count_nonzero(recovered))
    if not mocks:
        return Fraction(0, 0, np.nan, np.nan, np.nan)
    low, high = binom_conf_interval(count, mocks, level, interval="wilson")
    fraction = count / mocks
    return Fraction(mocks, count, fraction, min(float(low), fraction), max(float(high), fraction))


def edges_by_step(values: np.ndarray, step: float) -> np.ndarray:
    """Return bin edges at multiples of a step, between which all finite values lie.

    Parameters
    ----------
    values : array of float, shape (N,)
        NaN and infinities are ignored.
    step : float
        Width of the bins, above 0, in the units of the values.

    Returns
    -------
    array of float, shape (bins + 1,)
        Ascending, at least two. One bin from 0 where no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([0.0, step])
    low = np.floor(finite.min() / step + 1e-9)
    high = np.ceil(finite.max() / step - 1e-9)
    return np.arange(low, max(high, low + 1) + 1) * step


def edges_by_count(values: np.ndarray, bins: int) -> np.ndarray:
    """Return bin edges between which there are about as many values each.

    Parameters
    ----------
    values : array of float, shape (N,)
        NaN and infinities are ignored.
    bins : int

    Returns
    -------
    array of float
        Ascending: `bins` + 1 of them, fewer where values tie, and none where no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([])
    return np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)))


def in_bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the number of each value's bin.

    Parameters
    ----------
    values : array of float, shape (N,)
    edges : array of float, shape (bins + 1,)
        Ascending. A bin contains its lower edge, and the last one its upper edge too.

    Returns
    -------
    array of int, shape (N,)
        From 0; -1 for values outside of all bins and those that are not finite.
    """
    with np.errstate(invalid="ignore"):
        number = np.searchsorted(edges, values, side="right") - 1
    number[values == edges[-1]] = len(edges) - 2
    outside = ~np.isfinite(values) | (number < 0) | (number > len(edges) - 2)
    return np.where(outside, -1, number)


def curve(values: np.ndarray, recovered: np.ndarray, edges: np.ndarray, level: float) -> list:
    """Return the fraction of mocks that came back in each bin of one property.

    Parameters
    ----------
    values : array of float, shape (mocks,)
        The property; mocks whose value is not finite are in no bin.
    recovered : array of bool, shape (mocks,)
    edges : array of float, shape (bins + 1,)
        Ascending.
    level : float
        Probability content of the intervals, such as 0.683.

    Returns
    -------
    list of Fraction
        One a bin; with NaN where it has no mocks.
    """
    number = in_bins(values, edges)
    return [fraction_of(recovered[number == bin_], level) for bin_ in range(len(edges) - 1)]


@dataclass(frozen=True)
class CompletenessMap:
    """Fractions over mean surface brightness and effective radius.

    Attributes
    ----------
    brightness_edges, radius_edges : array of float
        mag/arcsec2 and arcseconds.
    mocks : array of int, shape (radius bins, brightness bins)
    steps : mapping of str to (recovered, fraction, low, high)
        Arrays of that shape, by step; NaN where there are no mocks.
    """

    brightness_edges: np.ndarray
    radius_edges: np.ndarray
    mocks: np.ndarray
    steps: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def map_of(
    brightness: np.ndarray,
    radius: np.ndarray,
    passed: Mapping[str, np.ndarray],
    edges: tuple[np.ndarray, np.ndarray],
    level: float,
) -> CompletenessMap:
    """Count in cells of mean surface brightness and effective radius.

    Parameters
    ----------
    brightness, radius : array of float, shape (mocks,)
    passed : mapping of str to array of bool, shape (mocks,)
        By step.
    edges : tuple of two arrays
        Of brightness and of radius.
    level : float
        Of the intervals.

    Returns
    -------
    CompletenessMap
    """
    column, row = in_bins(brightness, edges[0]), in_bins(radius, edges[1])
    shape = (len(edges[1]) - 1, len(edges[0]) - 1)
    cells = [
        [np.flatnonzero((row == j) & (column == i)) for i in range(shape[1])]
        for j in range(shape[0])
    ]
    mocks = np.array([[len(rows) for rows in line] for line in cells])
    steps = {}
    for name, mask in passed.items():
        fractions = [[fraction_of(mask[rows], level) for rows in line] for line in cells]
        count, fraction, low, high = (
            np.array([[getattr(f, part) for f in line] for line in fractions])
            for part in ("recovered", "fraction", "low", "high")
        )
        steps[name] = (count, fraction, low, high)
    return CompletenessMap(edges[0], edges[1], mocks, steps)


@dataclass(frozen=True)
class Limit:
    """The surface brightness of a completeness, in mag/arcsec2, with its interval.

    NaN with `reached` saying why: ``"never"`` (the completeness is lower at all brightnesses) or
    ``"beyond"`` (it is higher down to the faintest mocks); ``"yes"`` otherwise.
    """

    value: float
    low: float
    high: float
    reached: str


def limit_of(
    brightness: np.ndarray,
    recovered: np.ndarray,
    completeness: float,
    level: float,
    seed: int = 1,
) -> Limit:
    """Find down to which surface brightness mocks are complete to some fraction.

    From the bin of half a magnitude with the highest fraction on (cuts drop what is too bright for
    them), it is where straight lines between the bins' middles first cross the value; bins with
    fewer than 5 mocks are left out. The interval is that of 300 bootstrap samples of the mocks.

    Parameters
    ----------
    brightness : array of float, shape (mocks,)
    recovered : array of bool, shape (mocks,)
    completeness : float
        Such as 0.5.
    level : float
        Probability content of the interval.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Limit
        NaN, and `reached` is ``"too few mocks"``, for fewer than 10 with a finite brightness.
    """
    usable = np.isfinite(brightness)
    brightness, recovered = brightness[usable], recovered[usable].astype(float)
    if len(brightness) < 10:
        return Limit(np.nan, np.nan, np.nan, "too few mocks")
    value = _crossing(brightness, recovered, completeness)
    if not np.isfinite(value):
        return Limit(np.nan, np.nan, np.nan, "never" if value < 0 else "beyond")
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, len(brightness), (_RESAMPLES, len(brightness)))
    crossings = [_crossing(brightness[r], recovered[r], completeness) for r in rows]
    values = np.clip(crossings, brightness.min(), brightness.max())
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Limit(float(value), float(low), float(high), "yes")


def _crossing(brightness, recovered, completeness) -> float:
    """Return where the falling fraction crosses a value; -inf: never so high, inf: never so low."""
    edges = edges_by_step(brightness, _LIMIT_STEP)
    number = in_bins(brightness, edges)
    used = [n for n in range(len(edges) - 1) if np.count_nonzero(number == n) >= _LEAST_IN_BIN]
    fractions = np.array([recovered[number == n].mean() for n in used])
    if not len(used) or fractions.max() < completeness:
        return -np.inf
    middles = (edges[used] + edges[np.array(used) + 1]) / 2
    peak = int(fractions.argmax())
    below = np.flatnonzero(fractions[peak:] < completeness)
    if not len(below):
        return np.inf
    after = peak + int(below[0])
    high, low = fractions[after - 1], fractions[after]
    part = (high - completeness) / (high - low)
    return float(middles[after - 1] + part * (middles[after] - middles[after - 1]))


def scan_thresholds(
    probability: np.ndarray, others: np.ndarray, thresholds: Sequence[float], level: float
) -> list[dict]:
    """Say for each threshold how many mocks and how many other candidates are above it.

    Parameters
    ----------
    probability : array of float, shape (mocks,)
        Of the matched detection; NaN where the mock was lost before.
    others : array of float
        Probabilities of the selected candidates that are no mocks.
    thresholds : sequence of float
    level : float
        Of the intervals.

    Returns
    -------
    list of dict
        One a threshold: ``threshold``, the attributes of `Fraction` for the mocks, and
        ``others_above``, the number of other candidates.
    """
    with np.errstate(invalid="ignore"):
        rows = []
        for threshold in thresholds:
            part = fraction_of(probability > threshold, level)
            above = int(np.count_nonzero(others > threshold))
            rows.append({"threshold": float(threshold), **vars(part), "others_above": above})
    return rows
