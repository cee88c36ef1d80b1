"""Which mock galaxies there are: what a TOML file says of them, and drawing them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from astropy.table import Table

from catalogs.errors import InputError, one_line
from lsbg_classifier.injection.distributions import Draw, Limits, read_distribution

SHIPPED = ("des", "hsc", "uniform")
"""Names of the distributions that come with the package, as ``NAME.toml`` beside this module."""

KINDS = ("sersic", "nucleated", "irregular", "two-component")
"""The shapes of mock galaxies; see `lsbg_classifier.injection.profiles`."""

SEQUENCES = ("blue", "red")

_LIMITS = MappingProxyType(
    {
        "radius": Limits(0.3, 60.0, "arcsec"),
        "brightness": Limits(18.0, 32.0, "mag/arcsec2"),
        "magnitude": Limits(10.0, 30.0, "mag"),
        "index": Limits(0.3, 4.0),
        "ellipticity": Limits(0.0, 0.9),
        "nucleus": Limits(0.0, 0.5),
        "clumps": Limits(0.0, 0.9),
        "inner_flux": Limits(0.0, 0.9),
        "inner_radius": Limits(0.05, 1.0),
        "inner_index": Limits(0.3, 4.0),
    }
)
"""Quantities that have a distribution, and the values that they can have.

Sersic indices beyond 0.3 to 4 and ellipticities above 0.9 cannot be drawn well.
"""

_DEFAULTS = MappingProxyType(
    {
        "nucleus": {"distribution": "uniform", "minimum": 0.01, "maximum": 0.05},
        "clumps": {"distribution": "uniform", "minimum": 0.05, "maximum": 0.4},
        "inner_flux": {"distribution": "uniform", "minimum": 0.1, "maximum": 0.4},
        "inner_radius": {"distribution": "uniform", "minimum": 0.2, "maximum": 0.5},
        "inner_index": 1.0,
    }
)
"""Distributions that a file need not have."""

_COLOUR = Limits(-3.0, 5.0, "mag")


@dataclass(frozen=True)
class MockModel:
    """What mock galaxies are like; read from a TOML file by `read_mocks`.

    Attributes
    ----------
    name : str
        The shipped name, or the file's.
    text : str
        The file, by which a resumed run knows it.
    reference : str
        The band of the surface brightness or magnitude.
    draws : mapping of str to callable
        The distribution of each quantity.
    kinds : mapping of str to float
        The share of each kind.
    sequences : mapping of str to (float, mapping)
        The share of each sequence, and its colours: the name, such as ``g-r``, and a distribution.
    """

    name: str
    text: str
    reference: str
    draws: Mapping[str, Draw]
    kinds: Mapping[str, float]
    sequences: Mapping[str, tuple[float, Mapping[str, Draw]]]

    def __reduce__(self):
        """Travel to other processes as the text that it was read from."""
        return _of_text, (self.name, self.text)

    @cached_property
    def bands(self) -> frozenset[str]:
        """The bands in which every sequence's colours give a magnitude."""
        each = [_reachable(self.reference, colours) for _, colours in self.sequences.values()]
        return frozenset.intersection(*each)

    def check_bands(self, bands, where: object):
        """Check that the colours of the mocks give a magnitude in each of the bands.

        Parameters
        ----------
        bands : iterable of str
        where : object
            Named in the message as what has the bands, such as a tile.

        Raises
        ------
        InputError
            If a band has none.
        """
        for band in bands:
            if band not in self.bands:
                raise InputError(
                    f"{self.name}: the mocks have no colour that gives band {band} of {where}; add "
                    f'one such as "{self.reference}-{band}" to each sequence'
                )

    def draw(self, count: int, generator: np.random.Generator) -> Table:
        """Draw mock galaxies without positions.

        Parameters
        ----------
        count : int
        generator : numpy.random.Generator
            The same state draws the same mocks.

        Returns
        -------
        astropy.table.Table
            With ``KIND``, ``SEQUENCE``, ``R_EFF`` (arcsec), ``SERSIC_N``, ``ELLIPTICITY``, ``PA``
            (degrees), the parameters of each kind's parts, and ``MAG_x``, ``MU_MEAN_x`` a band.
        """
        kinds = generator.choice(KINDS, count, p=[self.kinds.get(kind, 0.0) for kind in KINDS])
        table = Table({"KIND": kinds})
        draws = {name: draw(generator, count) for name, draw in sorted(self.draws.items())}
        table["R_EFF"] = draws["radius"]
        table["SERSIC_N"] = np.round(draws["index"], 1)
        table["ELLIPTICITY"] = draws["ellipticity"]
        table["PA"] = generator.uniform(0, 180, count)
        table["NUCLEUS_FRACTION"] = np.where(kinds == "nucleated", draws["nucleus"], 0.0)
        table["CLUMP_FRACTION"] = np.where(kinds == "irregular", draws["clumps"], 0.0)
        table["CLUMP_SEED"] = generator.integers(0, 2**31 - 1, count).astype(np.int32)
        two = kinds == "two-component"
        table["INNER_FRACTION"] = np.where(two, draws["inner_flux"], 0.0)
        table["INNER_RADIUS"] = np.where(two, draws["inner_radius"], 0.0)
        table["INNER_N"] = np.where(two, np.round(draws["inner_index"], 1), 0.0)
        self._add_magnitudes(table, draws, generator)
        return table

    def _add_magnitudes(self, table, draws, generator):
        count, area = len(table), 2 * np.pi * np.asarray(table["R_EFF"]) ** 2
        if "magnitude" in draws:
            reference = draws["magnitude"]
        else:
            reference = draws["brightness"] - 2.5 * np.log10(area)
        names = list(self.sequences)
        shares = [share for share, _ in self.sequences.values()]
        table["SEQUENCE"] = generator.choice(names, count, p=shares)
        magnitudes = {band: np.empty(count) for band in sorted(self.bands)}
        for name, (_, colours) in self.sequences.items():
            rows = np.flatnonzero(table["SEQUENCE"] == name)
            drawn = {key: draw(generator, len(rows)) for key, draw in colours.items()}
            for band, values in _magnitudes(self.reference, reference[rows], drawn).items():
                if band in magnitudes:
                    magnitudes[band][rows] = values
        for band, values in magnitudes.items():
            table[f"MAG_{band.upper()}"] = values
        for band, values in magnitudes.items():
            table[f"MU_MEAN_{band.upper()}"] = values + 2.5 * np.log10(area)


def read_mocks(name: str | Path) -> MockModel:
    """Read distributions of mock galaxies: a shipped name, or a TOML file.

    Raises
    ------
    InputError
        If there is no such file, or something in it is missing, unknown or out of range.
    """
    path = Path(__file__).with_name(f"{name}.toml") if str(name) in SHIPPED else Path(name)
    if path.suffix != ".toml":
        raise InputError(f"{name}: no mocks of this name; choose {', '.join(SHIPPED)} or a .toml")
    try:
        text = path.read_text(encoding="utf-8")
        return _model(str(name), text, tomllib.loads(text))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{name}: no distributions of mock galaxies ({reason})") from error


def _of_text(name: str, text: str) -> MockModel:
    return _model(name, text, tomllib.loads(text))


def _model(name, text, content) -> MockModel:
    reference = content.pop("band", "g")
    kinds = _shares(content.pop("kinds", {"sersic": 1.0}), KINDS, "kinds")
    sequences = _sequences(content.pop("colours", None))
    if ("brightness" in content) == ("magnitude" in content):
        raise ValueError("it needs either brightness or magnitude")
    draws = {}
    for key in content:
        if key not in _LIMITS:
            raise ValueError(f"unknown key {key}")
    for key, limits in _LIMITS.items():
        table = content.get(key, _DEFAULTS.get(key))
        if table is None:
            if key in ("brightness", "magnitude"):
                continue
            raise ValueError(f"{key} is missing")
        try:
            draws[key] = read_distribution(table, limits)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return MockModel(name, text, str(reference), draws, kinds, sequences)


def _shares(table, known, key) -> dict[str, float]:
    """Check shares, and divide them by their sum."""
    if not isinstance(table, dict) or not table:
        raise ValueError(f"{key} must be a table of shares")
    for name, share in table.items():
        if name not in known:
            raise ValueError(f"{key}: unknown {name}; choose {', '.join(known)}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1e6:
            raise ValueError(f"{key}: the share of {name} must be a number from 0")
    total = sum(table.values())
    if not total > 0:
        raise ValueError(f"{key}: all shares are 0")
    return {name: share / total for name, share in table.items()}


def _sequences(table) -> dict[str, tuple[float, dict[str, Draw]]]:
    if not isinstance(table, dict) or not table:
        raise ValueError("colours is missing: tables colours.blue, colours.red")
    tables = {}
    for name, sequence in table.items():
        if not isinstance(sequence, dict):
            raise ValueError(f"colours.{name} must be a table")
        tables[name] = dict(sequence)
    shares = _shares(
        {name: t.pop("share", 1.0) for name, t in tables.items()}, SEQUENCES, "colours"
    )
    read = {}
    for name, colours in tables.items():
        draws = {}
        for colour, distribution in colours.items():
            if len(colour.split("-")) != 2:
                raise ValueError(f"colours.{name}: {colour} is no colour, such as g-r")
            try:
                draws[colour] = read_distribution(distribution, _COLOUR)
            except ValueError as error:
                raise ValueError(f"colours.{name}.{colour}: {error}") from error
        read[name] = (shares[name], draws)
    return read


def _reachable(reference, colours) -> frozenset[str]:
    """Bands whose magnitude follows from that of the reference band by one or more colours."""
    zeros = {colour: np.zeros(1) for colour in colours}
    return frozenset(_magnitudes(reference, np.zeros(1), zeros))


def _magnitudes(reference, magnitude, colours) -> dict[str, np.ndarray]:
    """Go from band to band by the colours; colours are first minus second band."""
    known, left = {reference: magnitude}, dict(colours)
    while left:
        usable = [c for c in left if (c.split("-")[0] in known) != (c.split("-")[1] in known)]
        if not usable:
            break
        colour = usable[0]
        first, second = colour.split("-")
        value = left.pop(colour)
        if first in known:
            known[second] = known[first] - value
        else:
            known[first] = known[second] + value
    return known
