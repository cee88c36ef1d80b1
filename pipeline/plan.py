"""How the rows of a catalog are divided into units of work.

Four kinds of numbers occur in a run, each explained here once:

row
    Number of a row in the catalog, from 0. Journal, kept cutouts and workers use it.
place
    Number of a row among the selected rows, in their order in the catalog, from 0; where all rows
    are selected, the row itself. Arrays on disk with one value a selected row are indexed by it.
fetch order
    The places in the order in which the rows are fetched: those that share an image are neighbours.
image
    A number that units have in common which share an image, so that one worker opens it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catalogs import Catalog, Selection
from catalogs.blocks import BLOCK_ROWS
from catalogs.sphere import on_sphere
from lsbg_classifier import CutoutSource
from pipeline.scratch import Spool

_LARGEST_UNIT = 4096


class Unit(NamedTuple):
    """Rows that are fetched and scored by one call; all of them have a position.

    Attributes
    ----------
    rows : array of int64, shape (n,)
    places : array of int64, shape (n,)
    image : int or None
        None: the unit shares no image with another, as nearly all do.
    """

    rows: np.ndarray
    places: np.ndarray
    image: int | None


@dataclass(frozen=True)
class Plan:
    """The positions of the selected rows and the order in which they are best fetched.

    Attributes
    ----------
    row_count : int
        Rows of the catalog.
    rows : array of int64, shape (selected,), or None
        The row at each place, ascending, on disk. None: all rows are selected.
    positions : array of float64, shape (selected, 2)
        Degrees at each place, on disk; NaN where there is no usable position.
    fetch_order : array of int64, shape (selected,), or None
        The places as they are fetched. None: in their own order.
    bounds : array of int64, shape (units + 1,)
        Where each unit begins and ends in the fetch order.
    continued : array of bool, shape (units,)
        Whether a unit begins with the image that the unit before it ends with.
    """

    row_count: int
    rows: np.ndarray | None
    positions: np.ndarray
    fetch_order: np.ndarray | None
    bounds: np.ndarray
    continued: np.ndarray

    def units(self) -> Iterator[Unit]:
        """Yield the units, without the rows that have no position."""
        numbers = np.cumsum(~self.continued).tolist()
        shares = self.continued | np.append(self.continued[1:], False)
        images = (
            number if shared else None for number, shared in zip(numbers, shares, strict=True)
        )
        order = self.fetch_order
        for start, stop, image in zip(self.bounds[:-1], self.bounds[1:], images, strict=True):
            places = np.arange(start, stop) if order is None else order[start:stop]
            places = places[np.isfinite(self.positions[places, 0])]
            if len(places):
                yield Unit(self._rows_at(places), places, image)

    def _rows_at(self, places: np.ndarray) -> np.ndarray:
        return places if self.rows is None else np.asarray(self.rows[places])

    def places_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of rows, all of which must be selected."""
        return rows if self.rows is None else np.searchsorted(self.rows, rows)

    def has_rows(self, rows: np.ndarray) -> bool:
        """Tell whether all these rows are in the catalog, and selected."""
        if not ((rows >= 0) & (rows < self.row_count)).all():
            return False
        if self.rows is None or not len(rows):
            return True
        places = self.places_of(rows)
        return bool((places < len(self.rows)).all() and (self.rows[places] == rows).all())

    def selected_between(self, start: int, stop: int) -> tuple[slice, np.ndarray | None]:
        """Return the places of the selected among the rows [start, stop), and their rows.

        Parameters
        ----------
        start, stop : int
            Numbers of rows in the catalog, from 0; `stop` is not included.

        Returns
        -------
        places : slice
            Into arrays with one value for each selected row, such as `positions`.
        rows : array of int64 or None
            Numbers of these rows in the catalog, ascending; None: all rows are selected.
        """
        if self.rows is None:
            return slice(start, stop), None
        places = slice(*np.searchsorted(self.rows, (start, stop)))
        return places, self.rows[places]


def make_plan(
    catalog: Catalog,
    source: CutoutSource,
    chunk_size: int,
    scratch: Path | None = None,
    selection: Selection | None = None,
) -> Plan:
    """Read the positions of the selected rows and divide them into units of about `chunk_size`.

    Rows that share an image stay together, up to 4096 of them. In memory the plan needs 12 bytes a
    selected row where the source groups rows, and nothing where it does not.

    Parameters
    ----------
    catalog : Catalog
    source : CutoutSource
        Says which positions share an image.
    chunk_size : int
        Rows of a unit, about.
    scratch : path, optional
        Folder of the unnamed files that hold positions and rows until the plan is deleted; by
        default the system's folder of temporary files.
    selection : Selection, optional
        Which rows are selected; by default all.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the catalog is damaged, or its columns do not suit the selection.
    """
    total = catalog.row_count
    block_groups = []
    with Spool(np.float64, scratch, 2) as positions, Spool(np.int64, scratch) as rows:
        for start in range(0, total, BLOCK_ROWS):
            block = read_selected(catalog, source, selection, start)
            if block.rows is not None:
                rows.append(block.rows)
            positions.append(block.positions)
            block_groups.append(block.groups)
        degrees, selected_rows = positions.array(), None if selection is None else rows.array()
    return plan_of(total, selected_rows, degrees, _joined(block_groups), chunk_size)


class SelectedRows(NamedTuple):
    """Some selected rows of a catalog.

    Attributes
    ----------
    rows : array of int64, shape (n,), or None
        Numbers in the catalog, ascending. None: all rows are selected.
    positions : array of float64, shape (n, 2)
        Degrees; NaN where there is no usable position.
    groups : array of int32, shape (n,), or None
        The image of each, -1 for none. None: the source groups no rows.
    """

    rows: np.ndarray | None
    positions: np.ndarray
    groups: np.ndarray | None


def read_selected(
    catalog: Catalog, source: CutoutSource, selection: Selection | None, start: int
) -> SelectedRows:
    """Read the selected among the 65,536 rows from a row on.

    Parameters
    ----------
    catalog : Catalog
    source : CutoutSource
        Says which positions share an image.
    selection : Selection or None
        None: all rows.
    start : int

    Returns
    -------
    SelectedRows

    Raises
    ------
    InputError
        If the catalog is damaged, or its columns do not suit the selection.
    """
    stop = min(start + BLOCK_ROWS, catalog.row_count)
    block, rows = on_sphere(catalog.read_positions(start, stop)), None
    if selection is not None:
        passing = selection.keep(catalog, start, stop)
        rows, block = np.flatnonzero(passing) + start, block[passing]
    return SelectedRows(rows, block, _groups(source, block))


def plan_of(
    row_count: int,
    rows: np.ndarray | None,
    positions: np.ndarray,
    groups: np.ndarray | None,
    chunk_size: int,
) -> Plan:
    """Divide selected rows into units of about `chunk_size`.

    Parameters
    ----------
    row_count : int
        Rows of the catalog.
    rows, positions, groups : array or None
        As of `SelectedRows`.
    chunk_size : int

    Returns
    -------
    Plan
    """
    if groups is None:
        bounds = np.append(np.arange(0, len(positions), chunk_size), len(positions))
        none_continued = np.zeros(len(bounds) - 1, bool)
        return Plan(row_count, rows, positions, None, bounds, none_continued)
    order = np.argsort(groups, kind="stable")
    groups = groups[order]
    bounds = _bounds(groups, chunk_size)
    return Plan(row_count, rows, positions, order, bounds, _continued(groups, bounds))


def _joined(block_groups: list[np.ndarray | None]) -> np.ndarray | None:
    """Join the groups of all blocks, and free the list; None if the order is free."""
    known = [groups for groups in block_groups if groups is not None]
    if len(known) < len(block_groups):
        return None
    block_groups.clear()
    return np.concatenate([np.empty(0, np.int32), *known])


def _groups(source: CutoutSource, positions: np.ndarray) -> np.ndarray | None:
    """Return the group of each position, -1 where there is none; None if the order is free."""
    usable = np.isfinite(positions[:, 0])
    usable_groups = source.group(positions[usable])
    if usable_groups is None:
        return None
    groups = np.full(len(positions), -1, np.int32)
    groups[usable] = usable_groups
    return groups


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
