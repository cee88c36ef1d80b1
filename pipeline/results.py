"""The added columns while a job runs, on disk."""

from pathlib import Path

import numpy as np

from catalogs.flags import Flag
from pipeline.plan import BLOCK, Plan, scratch_array
from pipeline.summary import Summary


class Results:
    """Probability and flags of every row; rows without a position are done from the start.

    The arrays live in unnamed files in the folder `scratch`, so that memory does not grow with
    them.
    """

    def __init__(self, plan: Plan, scratch: Path):
        rows = len(plan.positions)
        self._probability = scratch_array((rows,), np.float32, scratch)
        self._flags = scratch_array((rows,), np.int16, scratch)
        self._done = scratch_array((rows,), np.bool_, scratch)
        for start in range(0, rows, BLOCK):
            part = slice(start, start + BLOCK)
            missing = np.isnan(plan.positions[part, 0])
            self._probability[part] = np.nan
            self._flags[part] = np.where(missing, Flag.NO_POSITION, 0)
            self._done[part] = missing

    def put(self, rows: np.ndarray, probability: np.ndarray, flags: np.ndarray):
        """Fill in the results of some rows."""
        self._probability[rows], self._flags[rows], self._done[rows] = probability, flags, True

    def missing(self, rows: np.ndarray) -> np.ndarray:
        """Return those of `rows` that have no result yet."""
        return rows[~self._done[rows]]

    def done_count(self) -> int:
        """Count the rows that have a result."""
        return int(np.count_nonzero(self._done))

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return probability (float32) and flags (int16) of consecutive rows."""
        return self._probability[start:stop], self._flags[start:stop]

    def count(self, summary: Summary):
        """Add up what a summary tells of the rows."""
        for start in range(0, len(self._flags), BLOCK):
            summary.count(*self.read(start, start + BLOCK))
