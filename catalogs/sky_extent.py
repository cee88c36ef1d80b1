"""The part of the sky that positions span, and what it tells about their unit."""

from dataclasses import dataclass

import numpy as np

from catalogs.positions import PositionColumns
from catalogs.sphere import turned_back

_BINS = 3600
_FEWEST = 10
"""Positions from which on their values say that they could be radians."""

_FEWEST_IN_HOURS, _WIDTH_IN_HOURS = 1000, 12
"""Positions, and difference of the right ascensions, from which on these could be hours."""


@dataclass(frozen=True)
class SkyRange:
    """The part of the sky that positions span, in degrees.

    Attributes
    ----------
    ra : tuple of float
        Where the shortest arc that holds all right ascensions begins and ends; the end is less
        than the beginning where it goes across 0.
    dec : tuple of float
        The smallest and largest declination.
    area : float
        Square degrees of the arc, or of the cells of one degree that hold positions, whichever is
        less.
    """

    ra: tuple[float, float]
    dec: tuple[float, float]
    area: float


class SkyExtent:
    """Collects positions, block by block, in little memory.

    Attributes
    ----------
    count : int
        Positions on the sphere.
    """

    def __init__(self):
        self.count = 0
        self._first = np.full(_BINS, np.inf)
        self._last = np.full(_BINS, -np.inf)
        self._cells = np.zeros((180, 360), np.bool_)
        self._dec = np.array([np.inf, -np.inf])

    def add(self, positions: np.ndarray):
        """Take in degrees as of `catalogs.sphere.on_sphere`, float64 of shape (N, 2)."""
        ra, dec = positions[np.isfinite(positions).all(axis=1)].T
        if not ra.size:
            return
        bins = np.minimum((ra * (_BINS / 360)).astype(np.int64), _BINS - 1)
        np.minimum.at(self._first, bins, ra)
        np.maximum.at(self._last, bins, ra)
        rows = np.minimum((dec + 90).astype(np.int64), 179)
        self._cells[rows, np.minimum(ra.astype(np.int64), 359)] = True
        self._dec = np.array([min(self._dec[0], dec.min()), max(self._dec[1], dec.max())])
        self.count += len(ra)

    def merge(self, other: "SkyExtent"):
        """Take in all positions of another extent."""
        self._first = np.minimum(self._first, other._first)
        self._last = np.maximum(self._last, other._last)
        self._cells |= other._cells
        self._dec = np.array([min(self._dec[0], other._dec[0]), max(self._dec[1], other._dec[1])])
        self.count += other.count

    def range(self) -> SkyRange | None:
        """Return what the positions span; None if there are none."""
        if not self.count:
            return None
        ra, (low, high) = self._arc(), self._dec.tolist()
        width = (ra[1] - ra[0]) % 360
        box = np.degrees(width * (np.sin(np.radians(high)) - np.sin(np.radians(low))))
        heights = np.diff(np.degrees(np.sin(np.radians(np.arange(-90, 91)))))
        cells = float((self._cells * heights[:, None]).sum())
        return SkyRange(ra, (low, high), float(min(box, cells)))

    def could_be_radians(self) -> bool:
        """Tell whether all right ascensions and declinations could be radians."""
        low, high = self._turned()
        return bool(
            self.count >= _FEWEST
            and max(-low, high) <= 2 * np.pi
            and np.abs(self._dec).max() <= np.pi / 2
        )

    def could_be_hours(self) -> bool:
        """Tell whether all right ascensions of a large catalog could be hours, over half a day."""
        low, high = self._turned()
        is_large = self.count >= _FEWEST_IN_HOURS
        return bool(is_large and low >= 0 and high <= 24 and high - low >= _WIDTH_IN_HOURS)

    def _turned(self) -> tuple[float, float]:
        """Return the smallest and largest right ascension, from -180 to 180."""
        known = np.concatenate([self._first, self._last])
        known = known[np.isfinite(known)]
        if not known.size:
            return 0.0, 0.0
        turned = turned_back(np.stack([known, known], axis=1))[:, 0]
        return float(turned.min()), float(turned.max())

    def _arc(self) -> tuple[float, float]:
        """Return the ends of the arc that leaves out the widest gap between right ascensions."""
        used = np.flatnonzero(np.isfinite(self._first))
        first, last = self._first[used], self._last[used]
        gaps = np.append(first[1:], first[0] + 360) - last
        widest = int(np.argmax(gaps))
        return float(first[(widest + 1) % len(used)]), float(last[widest])


def describe_extent(extent: SkyExtent) -> list[str]:
    """Say what positions span, as a line of text; nothing if there are none."""
    span = extent.range()
    if span is None:
        return []
    across = " (across 0)" if span.ra[1] < span.ra[0] else ""
    return [
        f"sky: RA {span.ra[0]:.4f} to {span.ra[1]:.4f}{across}, Dec {span.dec[0]:.4f} to "
        f"{span.dec[1]:.4f} degrees, about {span.area:.2g} square degrees"
    ]


def position_warnings(columns: PositionColumns, extent: SkyExtent) -> list[str]:
    """Say what is doubtful about the unit of positions that no table and no user states.

    Parameters
    ----------
    columns : PositionColumns
    extent : SkyExtent
        Of the positions, read in the unit that is assumed.

    Returns
    -------
    list of str
        One sentence for each doubt; empty where there is none.
    """
    if not columns.is_assumed:
        return []
    names = f"{columns.ra} and {columns.dec}"
    if extent.could_be_radians():
        return [
            f"{names} have no unit and are taken as degrees, but all could be radians: say "
            "--position-unit rad if they are, or --position-unit deg"
        ]
    return []


def position_notes(columns: PositionColumns, extent: SkyExtent) -> list[str]:
    """Say what may be otherwise than it is taken: the right ascensions of a large, wide catalog.

    Many catalogs in degrees lie between 0 and 24 degrees too, so that this is no warning.

    Parameters
    ----------
    columns : PositionColumns
    extent : SkyExtent
        As of `position_warnings`.

    Returns
    -------
    list of str
        One sentence, or none.
    """
    if not columns.is_assumed or extent.could_be_radians() or not extent.could_be_hours():
        return []
    return [
        f"{columns.ra} has no unit and is taken as degrees; all lie between 0 and 24, so if they "
        "are hours, say --position-unit hourangle"
    ]
