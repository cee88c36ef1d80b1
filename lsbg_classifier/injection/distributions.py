"""Distributions that a TOML file names: of sizes, brightnesses and shapes of mock galaxies."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""Given a generator and a count, returns so many values."""


@dataclass(frozen=True)
class Limits:
    """The values that a quantity can have, ends included, and its unit for messages."""

    low: float
    high: float
    unit: str = ""

    def check(self, value: float) -> float:
        """Return the value; raise ValueError with the legal range if it is outside."""
        if not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(f"{value:g} is outside {self.low:g} to {self.high:g}{unit}")
        return value


_KEYS = MappingProxyType(
    {
        "uniform": {"minimum", "maximum"},
        "normal": {"mean", "sigma"},
        "lognormal": {"mean", "sigma"},
        "gamma": {"shape", "scale", "offset"},
        "pareto": {"slope", "minimum"},
        "beta": {"a", "b"},
        "grid": {"minimum", "maximum", "steps"},
        "values": {"values"},
    }
)
"""The keys that each distribution needs."""

_CONTINUOUS: Mapping[str, Callable[[Mapping[str, float]], Any]] = MappingProxyType(
    {
        "uniform": lambda k: stats.uniform(k["minimum"], k["maximum"] - k["minimum"]),
        "normal": lambda k: stats.norm(k["mean"], k["sigma"]),
        "lognormal": lambda k: stats.lognorm(k["sigma"], scale=math.exp(k["mean"])),
        "gamma": lambda k: stats.gamma(k["shape"], k["offset"], k["scale"]),
        "pareto": lambda k: stats.pareto(k["slope"], scale=k["minimum"]),
        "beta": lambda k: stats.beta(k["a"], k["b"]),
    }
)
"""The continuous ones, as scipy has them; `mean` of lognormal is that of the logarithm."""


def read_distribution(table: object, limits: Limits) -> Draw:
    """Make a distribution of what a TOML file says of it.

    Parameters
    ----------
    table : float or dict
        A number: always this. A table with the key ``distribution``, one of uniform, normal,
        lognormal, gamma, pareto, beta, grid and values, and its own keys. Continuous ones are cut
        at ``minimum`` and ``maximum``, where these are named, and at the limits.
    limits : Limits
        Of the quantity.

    Returns
    -------
    callable
        Draws values; see `Draw`.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a value out of range, with the legal range.
    """
    if isinstance(table, int | float) and not isinstance(table, bool):
        value = limits.check(float(table))
        return lambda _, count: np.full(count, value)
    if not isinstance(table, dict):
        raise ValueError("must be a number or a table with the key distribution")
    kind, keys = table.get("distribution"), {k: v for k, v in table.items() if k != "distribution"}
    _check_keys(kind, keys)
    if kind == "values":
        return _choice([limits.check(float(value)) for value in keys["values"]])
    for edge in ("minimum", "maximum"):
        if edge in keys:
            limits.check(keys[edge])
    low, high = keys.get("minimum", limits.low), keys.get("maximum", limits.high)
    if not low <= high:
        raise ValueError(f"minimum {low:g} is larger than maximum {high:g}")
    if kind == "grid":
        return _choice(np.linspace(low, high, _steps(keys["steps"])))
    return _cut(kind, keys, low, high)


def _check_keys(kind, keys):
    """Refuse unknown distributions and keys, and what are no numbers."""
    if kind not in _KEYS:
        raise ValueError(f"distribution must be one of {', '.join(_KEYS)}, not {kind!r}")
    needed, known = _KEYS[kind], _KEYS[kind] | {"minimum", "maximum"}
    if missing := needed - keys.keys():
        raise ValueError(f"{kind} needs the key {sorted(missing)[0]}")
    if unknown := keys.keys() - known:
        raise ValueError(f"{kind} has no key {sorted(unknown)[0]}")
    for key, value in keys.items():
        numbers = value if key == "values" and isinstance(value, list) and value else [value]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueError(f"{key} must be a number, not {number!r}")
            if not math.isfinite(number):
                raise ValueError(f"{key} must be finite")


def _steps(steps) -> int:
    if not isinstance(steps, int) or not 1 <= steps <= 1000:
        raise ValueError("steps must be a whole number from 1 to 1000")
    return steps


def _choice(values) -> Draw:
    """Each of some values as often as the others."""
    values = np.asarray(values, float)
    return lambda generator, count: generator.choice(values, count)


def _cut(kind, keys, low, high) -> Draw:
    """Draw from a distribution of scipy between two values, by the inverse of its integral."""
    for key in ("sigma", "scale", "slope", "shape", "a", "b"):
        if key in keys and not keys[key] > 0:
            raise ValueError(f"{key} must be positive")
    frozen = _CONTINUOUS[kind](keys) if low < high else None
    if frozen is None:
        return lambda _, count: np.full(count, low)
    start, stop = frozen.cdf(low), frozen.cdf(high)
    if not stop - start > 1e-9:
        raise ValueError(f"{kind} has no values between {low:g} and {high:g}")

    def draw(generator, count):
        values = frozen.ppf(generator.uniform(start, stop, count))
        return np.clip(values, low, high)

    return draw
