"""The added columns while a job runs, on disk."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs.blocks import BLOCK_ROWS
from catalogs.columns import OutputColumn, columns_of
from catalogs.flags import Flag
from pipeline.plan import Plan
from pipeline.scratch import scratch_array
from pipeline.summary import Summary


class Results:
    """The value of every added column in every row; rows without a position are done at once.

    Rows that are not selected take no room. The values are in unnamed files in a folder, one a
    column, so that memory does not grow with the catalog.

    Parameters
    ----------
    plan : Plan
    keys : collection of str
        Which of `catalogs.columns.OUTPUT_COLUMNS` are added.
    scratch : Path
        The folder.
    """

    def __init__(self, plan: Plan, keys: Collection[str], scratch: Path):
        self._plan, self._columns = plan, columns_of(keys)
        count = len(plan.positions)
        self._values = {
            column.key: scratch_array((count,), column.dtype, scratch) for column in self._columns
        }
        self._done = scratch_array((count,), np.bool_, scratch)
        for start in range(0, count, BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            missing = np.isnan(plan.positions[part, 0])
            for column in self._columns:
                self._values[column.key][part] = _without_score(column, Flag(0))
            self._values["flags"][part][missing] = Flag.NO_POSITION
            self._done[part] = missing

    def put(self, records: np.ndarray):
        """Fill in the results of some selected rows, as of `pipeline.journal.record_dtype`."""
        places = self._plan.places_of(records["row"])
        for key, values in self._values.items():
            values[places] = records[key]
        self._done[places] = True

    def missing(self, places: np.ndarray) -> np.ndarray:
        """Tell which of these places have no result yet; bool."""
        return ~self._done[places]

    def are_done(self, rows: np.ndarray) -> bool:
        """Tell whether all these rows are selected and have a result."""
        return self._plan.has_rows(rows) and not self.missing(self._plan.places_of(rows)).any()

    def selected_count(self) -> int:
        """Count the selected rows."""
        return len(self._done)

    def done_count(self) -> int:
        """Count the selected rows that have a result."""
        return int(np.count_nonzero(self._done))

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """Return the values of each column in consecutive rows, in the order of the columns.

        Parameters
        ----------
        start, stop : int
            Numbers of rows in the catalog, from 0; `stop` is not included.

        Returns
        -------
        list of array, each of shape (stop - start,)
            Of the types of the columns; NaN and flags where a row has no score.
        """
        return list(self._read(start, stop).values())

    def count(self, summary: Summary):
        """Add up what a summary tells of the rows."""
        total = self._plan.row_count
        for start in range(0, total, BLOCK_ROWS):
            values = self._read(start, min(start + BLOCK_ROWS, total))
            summary.count(values["probability"], values["flags"])

    def between(self, start: int, stop: int) -> "RowValues":
        """Return a copy in memory of the results of the rows [start, stop), numbered from 0.

        Parameters
        ----------
        start, stop : int
            Numbers of rows in the catalog, from 0; `stop` is not included.

        Returns
        -------
        RowValues
        """
        places, rows = self._plan.selected_between(start, stop)
        values = {key: np.array(values[places]) for key, values in self._values.items()}
        all_selected = rows is None or len(rows) == stop - start
        return RowValues(stop - start, None if all_selected else np.array(rows) - start, values)

    def _read(self, start: int, stop: int) -> dict[str, np.ndarray]:
        places, rows = self._plan.selected_between(start, stop)
        values = {key: values[places] for key, values in self._values.items()}
        return spread(values, None if rows is None else rows - start, stop - start)


@dataclass(frozen=True)
class RowValues:
    """The added columns in consecutive rows, without values of rows that are not selected.

    Attributes
    ----------
    count : int
        Rows, also those that are not selected.
    rows : array of int64, shape (selected,), or None
        The selected rows, ascending, from 0. None: all.
    values : dict of str to array, shape (selected,)
        By the keys of `catalogs.columns.OUTPUT_COLUMNS`.
    """

    count: int
    rows: np.ndarray | None
    values: dict[str, np.ndarray]

    def by_key(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the values in the rows [start, stop) of each column.

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        dict of str to array, shape (stop - start,)
        """
        if self.rows is None:
            return {key: values[start:stop] for key, values in self.values.items()}
        places = slice(*np.searchsorted(self.rows, (start, stop)))
        chosen = {key: values[places] for key, values in self.values.items()}
        return spread(chosen, self.rows[places] - start, stop - start)

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """Return the same in the order of the columns; see `Results.read`."""
        return list(self.by_key(start, stop).values())


def spread(
    values: dict[str, np.ndarray], rows: np.ndarray | None, count: int
) -> dict[str, np.ndarray]:
    """Put the values of selected rows among the rows that are not selected.

    Parameters
    ----------
    values : dict of str to array
        By the keys of `catalogs.columns.OUTPUT_COLUMNS`.
    rows : array of int64 or None
        Where they belong; None: in all rows.
    count : int
        Rows in all.

    Returns
    -------
    dict of str to array, shape (count,)
    """
    if rows is None:
        return values
    whole = {}
    for column in columns_of(values):
        unselected = _without_score(column, Flag.NOT_SELECTED)
        whole[column.key] = np.full(count, unselected, column.dtype)
        whole[column.key][rows] = values[column.key]
    return whole


def _without_score(column: OutputColumn, flags: Flag) -> float | int:
    """Return the value of a row that got no score: that of the column, or its flags."""
    return int(flags) if column.not_scored is None else column.not_scored
