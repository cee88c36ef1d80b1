"""How the rows of a catalog are divided into units of work."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

import numpy as np

from catalogs import Catalog, Selection
from catalogs.output import naming
from catalogs.sphere import on_sphere
from lsbg_classifier import CutoutSource

BLOCK = 65_536
"""Rows that are read or written at a time."""

_LARGEST_UNIT = 4096


@dataclass(frozen=True)
class Plan:
    """The positions of the selected rows and the order in which they are best fetched.

    Attributes
    ----------
    row_count : int
        Rows of the catalog.
    rows : array of int64, shape (selected,), or None
        Numbers of the selected rows, ascending, on disk. None: all rows.
    positions : array of float64, shape (selected, 2)
        Degrees of the selected rows, on disk; NaN where there is no usable position.
    order : array of int64, shape (selected,), or None
        The selected rows, counted among themselves, sorted so that those which share an image are
        neighbours. None: as they come.
    bounds : array of int64, shape (units + 1,)
        Where each unit begins and ends in that order.
    continued : array of bool, shape (units,)
        Which units go on with the image that the unit before them ends with.
    """

    row_count: int
    rows: np.ndarray | None
    positions: np.ndarray
    order: np.ndarray | None
    bounds: np.ndarray
    continued: np.ndarray

    def units(self) -> Iterator[np.ndarray]:
        """Yield the row numbers of each unit that have a position."""
        return (rows for rows, _ in self.units_by_image())

    def units_by_image(self) -> Iterator[tuple[np.ndarray, int | None]]:
        """Yield the same, and a number that units which share an image have in common.

        None: it shares none, as nearly all do.
        """
        numbers = np.cumsum(~self.continued).tolist()
        shares = self.continued | np.append(self.continued[1:], False)
        images = (
            number if shared else None for number, shared in zip(numbers, shares, strict=True)
        )
        for start, stop, image in zip(self.bounds[:-1], self.bounds[1:], images, strict=True):
            places = np.arange(start, stop) if self.order is None else self.order[start:stop]
            usable = places[np.isfinite(self.positions[places, 0])]
            if len(usable):
                yield (usable if self.rows is None else np.asarray(self.rows[usable])), image

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where rows of the catalog, all selected, stand among the selected ones."""
        return rows if self.rows is None else np.searchsorted(self.rows, rows)

    def selected(self, start: int, stop: int) -> tuple[slice, np.ndarray | None]:
        """Return where the selected of the rows [start, stop) stand, and their row numbers.

        None instead of row numbers: all rows are selected.
        """
        if self.rows is None:
            return slice(start, stop), None
        found = slice(*np.searchsorted(self.rows, (start, stop)))
        return found, self.rows[found]


def make_plan(
    catalog: Catalog,
    source: CutoutSource,
    chunk_size: int,
    scratch: Path | None = None,
    selection: Selection | None = None,
) -> Plan:
    """Read the positions of the selected rows and divide them into units of about `chunk_size`.

    Rows that share an image stay together, up to 4096 of them. What is known of each row goes to
    files in the folder `scratch` (by default the system's temporary one) that vanish with the plan.
    What stays in memory is 12 bytes a selected row where the source groups rows, and nothing where
    it does not.
    """
    total = catalog.row_count
    groups = []
    with _Spool(np.float64, scratch, 2) as positions, _Spool(np.int64, scratch) as rows:
        for start in range(0, total, BLOCK):
            stop = min(start + BLOCK, total)
            block = on_sphere(catalog.read_positions(start, stop))
            if selection is not None:
                kept = selection.keep(catalog, start, stop)
                rows.append(np.flatnonzero(kept) + start)
                block = block[kept]
            positions.append(block)
            groups.append(_groups(source, block))
        found, numbers = positions.array(), None if selection is None else rows.array()
    if any(group is None for group in groups):
        bounds = np.append(np.arange(0, len(found), chunk_size), len(found))
        return Plan(total, numbers, found, None, bounds, np.zeros(len(bounds) - 1, bool))
    joined = np.concatenate([np.empty(0, np.int32), *groups])
    groups.clear()
    order = np.argsort(joined, kind="stable")
    groups = joined[order]
    bounds = _bounds(groups, chunk_size)
    return Plan(total, numbers, found, order, bounds, _continued(groups, bounds))


def _groups(source: CutoutSource, positions: np.ndarray) -> np.ndarray | None:
    """Return the group of each position, -1 where there is none; None if the order is free."""
    usable = np.isfinite(positions[:, 0])
    found = source.group(positions[usable])
    if found is None:
        return None
    groups = np.full(len(positions), -1, np.int32)
    groups[usable] = found
    return groups


def scratch_array(shape: tuple[int, ...], dtype, folder: Path | None) -> np.ndarray:
    """Make an array of zeros in an unnamed file in `folder`; it vanishes with the array."""
    if 0 in shape:
        return np.empty(shape, dtype)
    with naming(folder or gettempdir()), TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # A full disk must be an error here: later, at a page of the map, it is a crash.
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, "w+", shape=shape)


class _Spool:
    """An array that grows in an unnamed file in a folder, and vanishes with the array.

    Parameters
    ----------
    dtype : data type
    folder : Path or None
        None: the system's temporary one.
    width : int, optional
        Values a row; left out, the array has one dimension.
    """

    def __init__(self, dtype, folder: Path | None, width: int | None = None):
        self._dtype, self._shape = np.dtype(dtype), () if width is None else (width,)
        self._folder, self._length = folder or gettempdir(), 0
        with naming(self._folder):
            self._file = TemporaryFile(dir=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with naming(self._folder):
            self._file.close()

    def append(self, values: np.ndarray):
        """Add rows at the end."""
        with naming(self._folder):
            self._file.write(np.ascontiguousarray(values, self._dtype))
        self._length += len(values)

    def array(self) -> np.ndarray:
        """Return all that was added, read-only, from disk."""
        with naming(self._folder):
            self._file.flush()
        shape = (self._length, *self._shape)
        if not self._length:
            return np.empty(shape, self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=shape)


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


def _continued(groups: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Tell which units begin with the group that the unit before them ends with."""
    starts = bounds[:-1]
    continued = groups[starts] == groups[np.maximum(starts - 1, 0)]
    return continued & (starts > 0) & (groups[starts] >= 0)
