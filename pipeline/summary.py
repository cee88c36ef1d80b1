"""Counts of a run, and the time that each of its parts took."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from catalogs import Catalog, find_lsbg_columns
from catalogs.blocks import BLOCK_ROWS
from catalogs.flags import Flag
from lsbg_classifier.reasons import Reason

if TYPE_CHECKING:
    from pipeline.worker import UnitResult

_SHOWN_REASONS = 5


@dataclass
class Summary:
    """Counts and times of one run; printed, it is what the command prints.

    Attributes
    ----------
    rows, scored, above_threshold : int
        Candidates in the catalog, with a probability, and with one above `threshold`.
    threshold : float
    flags : dict of str to int
        Rows that carry each flag.
    reasons : Counter of Reason
        Why candidates have no usable image, and how many each reason concerns; of those that this
        run looked at, not of those that were done before a resume.
    chosen : int or None
        Rows that ``--only`` has chosen; None without it.
    remarks : list of str
        What the job supposes, and what is doubtful; see `pipeline.remarks`.
    fetch_seconds, network_seconds : float
        Time that workers spent in fetching cutouts and in the network, all threads added up.
    total_seconds : float
        Time on the clock.
    """

    threshold: float
    rows: int = 0
    scored: int = 0
    above_threshold: int = 0
    flags: dict[str, int] = field(default_factory=lambda: {str(flag.name): 0 for flag in Flag})
    reasons: Counter[Reason] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    chosen: int | None = None
    fetch_seconds: float = 0.0
    network_seconds: float = 0.0
    total_seconds: float = 0.0

    def __str__(self) -> str:
        """Return what the command prints of a run, as lines of text."""
        return "\n".join(self.lines())

    def count(self, probability: np.ndarray, flags: np.ndarray):
        """Add some rows.

        Parameters
        ----------
        probability : array of float32, shape (n,)
            NaN where not scored.
        flags : array of int16, shape (n,)
        """
        self.rows += len(flags)
        self.scored += int(np.count_nonzero(~np.isnan(probability)))
        self.above_threshold += int(np.count_nonzero(probability > self.threshold))
        for flag in Flag:
            self.flags[str(flag.name)] += int(np.count_nonzero(flags & flag))

    def add_counts(self, other: "Summary"):
        """Add the rows that another summary has counted."""
        self.rows += other.rows
        self.scored += other.scored
        self.above_threshold += other.above_threshold
        for name, count in other.flags.items():
            self.flags[name] += count

    def add_unit(self, result: "UnitResult"):
        """Add the reasons and the times of one unit of work."""
        self.reasons.update(result.reasons)
        self.fetch_seconds += result.fetch_seconds
        self.network_seconds += result.network_seconds

    def lines(self, *, reasons: int = _SHOWN_REASONS, remarks: bool = True) -> list[str]:
        """Return lines for a terminal or a log.

        Parameters
        ----------
        reasons : int
            Show at most this many, those that concern the most candidates.
        remarks : bool
            Show them too.

        Returns
        -------
        list of str
        """
        flagged = [f"  {name}: {count}" for name, count in self.flags.items() if count]
        return [
            f"{self.rows} candidates, {self.scored} scored, "
            f"{self.above_threshold} above {self.threshold:g}",
            *(["flags:", *flagged] if flagged else ["no flags"]),
            *self._reason_lines(reasons),
            *(self.remarks if remarks else []),
            *self._hints(),
            f"{self.total_seconds:.1f} s in all; {self.fetch_seconds:.1f} s fetching cutouts and "
            f"{self.network_seconds:.1f} s in the network, all threads together",
        ]

    def _reason_lines(self, shown: int) -> list[str]:
        """Return the reasons that concern the most candidates."""
        if not self.reasons or not shown:
            return []
        largest = [
            f"  {in_words(count)}: {reason}" for reason, count in self.reasons.most_common(shown)
        ]
        more = len(self.reasons) - len(largest)
        others = [f"  and {more} more; --log FILE keeps all of them"] if more else []
        return ["reasons:", *largest, *others]

    def _hints(self) -> list[str]:
        selected = self.rows - self.flags["NOT_SELECTED"]
        if self.rows and not selected:
            return ["the selection kept no row: are its columns in the units that it supposes?"]
        if selected and self.flags["NO_COVERAGE"] == selected:
            return ["no candidate lies on these images: are the positions in degrees?"]
        return []


def summary_of(catalog: Catalog, threshold: float) -> Summary:
    """Count the rows of a catalog that is annotated.

    Parameters
    ----------
    catalog : Catalog
    threshold : float

    Returns
    -------
    Summary
        Without reasons and times.

    Raises
    ------
    InputError
        If it has no columns of ours, or several of one kind.
    """
    summary, names = Summary(threshold), find_lsbg_columns(catalog.column_names, catalog.path)
    wanted = names["probability"], names["flags"]
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        probability, flags = catalog.read_columns(wanted, start, stop)
        summary.count(probability.astype(np.float32), flags.astype(np.int16))
    return summary


def in_words(count: int) -> str:
    """Return a number of candidates in words."""
    return f"{count} candidate{'' if count == 1 else 's'}"
