"""The whole measurement: matches, fractions, limits, thresholds, and the smooth model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.completeness.counts import (
    STEPS,
    CompletenessMap,
    Fraction,
    Limit,
    curve,
    edges_by_count,
    edges_by_step,
    fraction_of,
    limit_of,
    map_of,
    scan_thresholds,
)
from lsbg_classifier.completeness.matching import Sky, chance_rates, match
from lsbg_classifier.completeness.model import CompletenessModel, fit_model

RADIUS_EDGES = (0.0, 2.5, 3.5, 5.0, 7.0, 10.0, 14.0, 60.0)
"""Arcseconds; bins without mocks are left out."""

LIMITS = (0.5, 0.9)
"""Fractions whose surface brightness is given."""

_CURVE_BINS = 6
_THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2))


@dataclass(frozen=True)
class Settings:
    """How a completeness is measured.

    Attributes
    ----------
    band : str
        Of the mean surface brightness.
    match_radius : float
        Arcseconds.
    threshold : float
        Probability above which a candidate counts as recovered.
    level : float
        Probability content of all intervals.
    brightness_step : float
        mag/arcsec2, of the bins.
    radius_edges : tuple of float
        Arcseconds.
    """

    band: str = "g"
    match_radius: float = 3.0
    threshold: float = 0.5
    level: float = 0.683
    brightness_step: float = 0.5
    radius_edges: tuple[float, ...] = RADIUS_EDGES

    def __post_init__(self):
        """Refuse numbers that make no sense."""
        if not 0 < self.match_radius <= 60:
            raise InputError('the match radius must be above 0" and at most 60"')
        if not 0 <= self.threshold <= 1:
            raise InputError(f"the threshold must be between 0 and 1, not {self.threshold:g}")
        if not 0 < self.level < 1:
            raise InputError(f"the level must be between 0 and 1, not {self.level:g}")
        if not self.brightness_step > 0 or np.any(np.diff(self.radius_edges) <= 0):
            raise InputError("bins must have ascending edges")


@dataclass(frozen=True)
class Mocks:
    """The truth: positions, and properties by the names of the truth table.

    Attributes
    ----------
    sky : Sky
    properties : mapping of str to array of float, shape (mocks,)
        ``R_EFF`` and ``MU_MEAN_x`` at least.
    """

    sky: Sky
    properties: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """An annotated catalog: positions, probabilities (NaN where not scored) and flags."""

    sky: Sky
    probability: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True)
class Recovery:
    """What became of each mock.

    Attributes
    ----------
    number : array of int64, shape (mocks,)
        Row of its detection, -1 for none.
    distance : array of float64, shape (mocks,)
        Arcseconds.
    probability : array of float32, shape (mocks,)
        NaN where it was lost before.
    passed : dict of str to array of bool
        By step of `counts.STEPS`; who passes a step has passed those before.
    """

    number: np.ndarray
    distance: np.ndarray
    probability: np.ndarray
    passed: dict[str, np.ndarray]


@dataclass(frozen=True)
class Completeness:
    """A measured completeness.

    Attributes
    ----------
    settings : Settings
    recovery : Recovery
    steps : dict of str to (Fraction, float)
        Of all mocks, and the rate at which mocks would pass by chance matches alone.
    map : CompletenessMap
    curves : dict of str to (edges, list of Fraction)
        By property; of the last step.
    limits : list of (low, high, mocks, list of Limit)
        By bin of the effective radius; one `Limit` for each of `LIMITS`.
    thresholds : list of dict
        See `counts.scan_thresholds`.
    model : CompletenessModel or None
    calibration : list of dict
    """

    settings: Settings
    recovery: Recovery
    steps: dict[str, tuple[Fraction, float]]
    map: CompletenessMap
    curves: dict[str, tuple[np.ndarray, list[Fraction]]]
    limits: list[tuple[float, float, int, list[Limit]]]
    thresholds: list[dict]
    model: CompletenessModel | None
    calibration: list[dict]


def recover(mocks: Mocks, candidates: Candidates, settings: Settings) -> Recovery:
    """Follow each mock through the steps.

    Parameters
    ----------
    mocks : Mocks
    candidates : Candidates
    settings : Settings

    Returns
    -------
    Recovery
    """
    number, distance = match(mocks.sky, candidates.sky, settings.match_radius)
    matched = number >= 0
    rows = np.maximum(number, 0)
    probability = np.full(len(number), np.nan, np.float32)
    flags = np.zeros(len(number), np.int16)
    if len(candidates.sky):
        probability[matched] = candidates.probability[rows[matched]]
        flags[matched] = candidates.flags[rows[matched]]
    covered = _covered(mocks)
    selected = matched & ((flags & Flag.NOT_SELECTED) == 0)
    with np.errstate(invalid="ignore"):
        each = (
            covered,
            matched,
            selected,
            np.isfinite(probability) & ((flags & NOT_SCORED) == 0),
            probability > settings.threshold,
        )
    passed, so_far = {}, np.ones(len(number), bool)
    for name, mask in zip(STEPS, each, strict=True):
        so_far = so_far & mask
        passed[name] = so_far
    return Recovery(number, distance, probability, passed)


def _covered(mocks: Mocks) -> np.ndarray:
    """Return which mocks have their centre on sound pixels; all, if the truth does not say."""
    covered = mocks.properties.get("COVERED")
    return np.ones(len(mocks.sky), bool) if covered is None else np.asarray(covered) > 0


def measure(mocks: Mocks, candidates: Candidates, settings: Settings) -> Completeness:
    """Measure the completeness of a catalog.

    Parameters
    ----------
    mocks : Mocks
    candidates : Candidates
    settings : Settings

    Returns
    -------
    Completeness

    Raises
    ------
    InputError
        If there are no mocks, or they have no size or no surface brightness in the band.
    """
    brightness, radius = _shape_of(mocks, settings.band)
    recovery = recover(mocks, candidates, settings)
    above = recovery.passed["above"]
    edges = (edges_by_step(brightness, settings.brightness_step), _used(radius, settings))
    model, calibration = _model(mocks, settings.band, brightness, radius, above)
    return Completeness(
        settings,
        recovery,
        _steps(mocks, candidates, recovery, settings),
        map_of(brightness, radius, recovery.passed, edges, settings.level),
        _curves(mocks, settings, above, edges),
        _limits(brightness, radius, above, edges[1], settings.level),
        scan_thresholds(
            np.where(recovery.passed["scored"], recovery.probability, np.nan),
            _others(candidates, recovery),
            _THRESHOLDS,
            settings.level,
        ),
        model,
        calibration,
    )


def _shape_of(mocks: Mocks, band: str) -> tuple[np.ndarray, np.ndarray]:
    names = (f"MU_MEAN_{band.upper()}", "R_EFF")
    for name in names:
        if name not in mocks.properties:
            raise InputError(f"the truth has no column {name}; name another band, or add it")
    brightness, radius = (np.asarray(mocks.properties[name], float) for name in names)
    if not np.isfinite(brightness * radius).any():
        raise InputError("the truth holds no mocks with a size and a surface brightness")
    return brightness, radius


def _used(radius: np.ndarray, settings: Settings) -> np.ndarray:
    """Return the edges of the radius bins from the first to the last that has mocks."""
    edges = np.asarray(settings.radius_edges, float)
    low, high = np.nanmin(radius), np.nanmax(radius)
    first = max(np.searchsorted(edges, low, side="right") - 1, 0)
    last = min(np.searchsorted(edges, high, side="left"), len(edges) - 1)
    return edges[first : max(last, first + 1) + 1]


def _steps(mocks, candidates, recovery, settings):
    selected = (candidates.flags & Flag.NOT_SELECTED) == 0
    with np.errstate(invalid="ignore"):
        above = selected & (candidates.probability > settings.threshold)
    scored = selected & np.isfinite(candidates.probability)
    everything = np.ones(len(selected), bool)
    kinds = {"detected": everything, "selected": selected, "scored": scored, "above": above}
    rates = chance_rates(mocks.sky, candidates.sky, settings.match_radius, kinds)
    return {
        name: (fraction_of(recovery.passed[name], settings.level), rates.get(name, 0.0))
        for name in STEPS
    }


def _others(candidates: Candidates, recovery: Recovery) -> np.ndarray:
    """Return the probabilities of the selected candidates that are no mocks."""
    free = (candidates.flags & Flag.NOT_SELECTED) == 0
    free[recovery.number[recovery.number >= 0]] = False
    return candidates.probability[free]


def colour_name(mocks: Mocks) -> str | None:
    """Return the first colour that the truth allows, bluest band first: ``"G-R"``."""
    bands = [b for b in "UGRIZY" if f"MAG_{b}" in mocks.properties]
    return f"{bands[0]}-{bands[1]}" if len(bands) > 1 else None


def _colour(mocks: Mocks) -> dict[str, np.ndarray]:
    name = colour_name(mocks)
    if name is None:
        return {}
    first, second = (np.asarray(mocks.properties[f"MAG_{b}"], float) for b in name.split("-"))
    return {name: first - second}


def _curves(mocks, settings, above, edges):
    properties = dict(mocks.properties) | _colour(mocks)
    band = settings.band.upper()
    brightness = f"MU_MEAN_{band}"
    bin_edges = {brightness: edges[0], "R_EFF": edges[1]}
    for name in (
        *_colour(mocks),
        "SERSIC_N",
        "ELLIPTICITY",
        "BRIGHT_DISTANCE",
        f"DEPTH_{band}",
        "RA",
        "DEC",
    ):
        values = np.asarray(properties.get(name, []), float)
        bins = edges_by_count(values, _CURVE_BINS) if len(values) else np.empty(0)
        if len(bins) > 1:
            bin_edges[name] = bins
    return {
        name: (bins, curve(np.asarray(properties[name], float), above, bins, settings.level))
        for name, bins in bin_edges.items()
    }


def _limits(brightness, radius, above, edges, level):
    rows = []
    for low, high in pairwise(edges):
        here = (radius >= low) & (radius < high)
        limits = [limit_of(brightness[here], above[here], part, level) for part in LIMITS]
        rows.append((float(low), float(high), int(here.sum()), limits))
    return rows


def _model(mocks, band, brightness, radius, above):
    with np.errstate(invalid="ignore", divide="ignore"):
        properties = {"MU_MEAN": brightness, "LOG_R_EFF": np.log10(radius)}
    for name in ("SERSIC_N", "ELLIPTICITY"):
        if name in mocks.properties:
            properties[name] = np.asarray(mocks.properties[name], float)
    properties |= {name.replace("-", "_"): values for name, values in _colour(mocks).items()}
    fitted = fit_model(band, properties, above)
    return (None, []) if fitted is None else fitted


def to_json(measured: Completeness) -> dict:
    """Return a measurement as JSON values; NaN becomes null.

    Parameters
    ----------
    measured : Completeness
    """
    cells = measured.map
    content = {
        "mocks": len(measured.recovery.number),
        "settings": asdict(measured.settings),
        "steps": {
            name: asdict(fraction) | {"by_chance": rate}
            for name, (fraction, rate) in measured.steps.items()
        },
        "map": {
            "brightness_edges": cells.brightness_edges,
            "radius_edges": cells.radius_edges,
            "mocks": cells.mocks,
            "steps": {
                name: dict(zip(("recovered", "fraction", "low", "high"), arrays, strict=True))
                for name, arrays in cells.steps.items()
            },
        },
        "curves": {
            name: {"edges": edges, "bins": [asdict(fraction) for fraction in fractions]}
            for name, (edges, fractions) in measured.curves.items()
        },
        "limits": [
            {
                "r_eff_low": low,
                "r_eff_high": high,
                "mocks": mocks,
                **{
                    f"mu_{round(100 * part)}": asdict(limit)
                    for part, limit in zip(LIMITS, limits, strict=True)
                },
            }
            for low, high, mocks, limits in measured.limits
        ],
        "thresholds": measured.thresholds,
        "model": None
        if measured.model is None
        else {"parameters": measured.model.to_json(), "calibration": measured.calibration},
    }
    return _jsonable(content)


def _jsonable(value):
    if isinstance(value, dict):
        return {key: _jsonable(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return _jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
