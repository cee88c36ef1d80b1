"""The added columns while a job runs, on disk."""

from pathlib import Path

import numpy as np

from catalogs.flags import Flag
from pipeline.plan import BLOCK, Plan, scratch_array
from pipeline.summary import Summary


class Results:
    """Probability and flags of every row; rows without a position are done from the start.

    What the selection does not keep takes no room. The rest is in unnamed files in the folder
    `scratch`, so that memory does not grow with it.
    """

    def __init__(self, plan: Plan, scratch: Path):
        self._plan = plan
        count = len(plan.positions)
        self._probability = scratch_array((count,), np.float32, scratch)
        self._flags = scratch_array((count,), np.int16, scratch)
        self._done = scratch_array((count,), np.bool_, scratch)
        for start in range(0, count, BLOCK):
            part = slice(start, start + BLOCK)
            missing = np.isnan(plan.positions[part, 0])
            self._probability[part] = np.nan
            self._flags[part] = np.where(missing, Flag.NO_POSITION, 0)
            self._done[part] = missing

    def put(self, rows: np.ndarray, probability: np.ndarray, flags: np.ndarray):
        """Fill in the results of some selected rows."""
        places = self._plan.places(rows)
        self._probability[places], self._flags[places] = probability, flags
        self._done[places] = True

    def has_rows(self, rows: np.ndarray) -> bool:
        """Tell whether all these rows are in the catalog, and selected."""
        total, selected = self._plan.row_count, self._plan.rows
        if not ((rows >= 0) & (rows < total)).all():
            return False
        if selected is None or not len(rows):
            return True
        places = self._plan.places(rows)
        return bool((places < len(selected)).all() and (selected[places] == rows).all())

    def missing(self, rows: np.ndarray) -> np.ndarray:
        """Return those of `rows`, all selected, that have no result yet."""
        return rows[~self._done[self._plan.places(rows)]]

    def selected_count(self) -> int:
        """Count the rows that the selection keeps."""
        return len(self._done)

    def done_count(self) -> int:
        """Count the selected rows that have a result."""
        return int(np.count_nonzero(self._done))

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return probability (float32) and flags (int16) of consecutive rows."""
        places, rows = self._plan.selected(start, stop)
        if rows is None:
            return self._probability[places], self._flags[places]
        probability = np.full(stop - start, np.nan, np.float32)
        flags = np.full(stop - start, Flag.NOT_SELECTED, np.int16)
        probability[rows - start] = self._probability[places]
        flags[rows - start] = self._flags[places]
        return probability, flags

    def count(self, summary: Summary):
        """Add up what a summary tells of the rows."""
        total = self._plan.row_count
        for start in range(0, total, BLOCK):
            summary.count(*self.read(start, min(start + BLOCK, total)))
