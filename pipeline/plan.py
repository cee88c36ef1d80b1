"""How the rows of a catalog are divided into units of work."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

import numpy as np

from catalogs import Catalog
from catalogs.output import naming
from lsbg_classifier import CutoutSource

BLOCK = 65_536
"""Rows that are read or written at a time."""

_LARGEST_UNIT = 4096


@dataclass(frozen=True)
class Plan:
    """The positions of a catalog and the order in which they are best fetched.

    Attributes
    ----------
    positions : array of float64, shape (rows, 2)
        Degrees, on disk; NaN where there is no usable position.
    order : array of int64, shape (rows,), or None
        Row numbers sorted so that rows which share an image are neighbours. None: as they come.
    bounds : array of int64, shape (units + 1,)
        Where each unit begins and ends in that order.
    """

    positions: np.ndarray
    order: np.ndarray | None
    bounds: np.ndarray

    def units(self) -> Iterator[np.ndarray]:
        """Yield the row numbers of each unit that have a position."""
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            rows = np.arange(start, stop) if self.order is None else self.order[start:stop]
            usable = np.isfinite(self.positions[rows, 0])
            if usable.any():
                yield rows[usable]


def make_plan(
    catalog: Catalog, source: CutoutSource, chunk_size: int, scratch: Path | None = None
) -> Plan:
    """Read all positions and divide the rows into units of about `chunk_size` rows.

    Rows that share an image stay together, up to 4096 of them. The positions go to a file in the
    folder `scratch` (by default the system's temporary one) that vanishes with the plan. What
    stays in memory is 12 bytes a row where the source groups rows, and nothing where it does not.
    """
    rows = catalog.row_count
    positions = scratch_array((rows, 2), np.float64, scratch)
    groups = None
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        block = usable_positions(catalog.read_positions(start, stop))
        positions[start:stop] = block
        usable = np.isfinite(block[:, 0])
        found = source.group(block[usable])
        if found is not None:
            groups = np.full(rows, -1, np.int32) if groups is None else groups
            groups[start:stop][usable] = found
    if groups is None:
        bounds = np.append(np.arange(0, rows, chunk_size), rows)
        return Plan(positions, None, bounds)
    order = np.argsort(groups, kind="stable")
    return Plan(positions, order, _bounds(groups[order], chunk_size))


def usable_positions(positions: np.ndarray) -> np.ndarray:
    """Return degrees with NaN in both columns where a position is not on the sphere; (N, 2)."""
    ra, dec = positions.T
    with np.errstate(invalid="ignore"):
        good = (ra >= 0) & (ra <= 360) & (dec >= -90) & (dec <= 90)
    return np.where(good[:, None], positions, np.nan)


def scratch_array(shape: tuple[int, ...], dtype, folder: Path | None) -> np.ndarray:
    """Make an array of zeros in an unnamed file in `folder`; it vanishes with the array."""
    if 0 in shape:
        return np.empty(shape, dtype)
    with naming(folder or gettempdir()), TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # A full disk must be an error here: later, at a page of the map, it is a crash.
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, "w+", shape=shape)


def _bounds(groups: np.ndarray, chunk_size: int) -> np.ndarray:
    """Cut sorted group numbers into units: whole groups, up to `chunk_size` rows or one group."""
    edges = np.flatnonzero(np.diff(groups)) + 1
    bounds, previous = [0], 0
    for edge in [*edges.tolist(), len(groups)]:
        if edge - bounds[-1] > chunk_size and previous > bounds[-1]:
            bounds.append(previous)
        while edge - bounds[-1] > _LARGEST_UNIT:
            bounds.append(bounds[-1] + _LARGEST_UNIT)
        previous = edge
    if bounds[-1] < len(groups):
        bounds.append(len(groups))
    return np.array(bounds)
