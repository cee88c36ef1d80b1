"""What the files of a catalog hold: hashes, counts, and the selected rows if they are few."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from catalogs.partitions import Partition, joined_fingerprint, longest
from catalogs.sky_extent import SkyExtent
from pipeline.job import Job
from pipeline.partitions.dispatcher import Dispatcher
from pipeline.partitions.tasks import PartFacts, Question, examine, joined_rows, read_rows
from pipeline.plan import SelectedRows

PORTION_ROWS = 2_000_000
"""Selected rows that are planned and journaled together, about: some 70 MB in memory.

A tile whose candidates are in files of different portions is read once for each of them.
"""

_NOWHERE = SkyExtent()
"""Takes the place of the extents of single files, which take room and are needed no more."""


@dataclass
class Survey:
    """What the files of a catalog hold.

    Attributes
    ----------
    partitions : sequence of Partition
    facts : list of PartFacts
        Of each file, without the rows.
    extent : SkyExtent
        Of all selected rows.
    """

    partitions: Sequence[Partition]
    facts: list[PartFacts]
    extent: SkyExtent
    _question: Question
    _rows: dict[int, SelectedRows] | None = field(repr=False)

    @property
    def selected(self) -> int:
        """The number of selected rows."""
        return sum(facts.selected for facts in self.facts)

    def fingerprint(self) -> str:
        """Return the fingerprint of the catalog; see `catalogs.Catalog.fingerprint`."""
        names = (partition.name for partition in self.partitions)
        return joined_fingerprint(names, (facts.digest for facts in self.facts))

    def lengths(self) -> dict[str, int] | None:
        """Return the longest text of each column; None: nobody asked for it."""
        return longest(facts.lengths for facts in self.facts) if self._question.lengths else None

    def numbers_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of the file that each row is in."""
        return np.searchsorted(self._firsts, rows, "right") - 1

    @cached_property
    def _firsts(self) -> np.ndarray:
        return np.array([partition.first for partition in self.partitions])

    def rows_of(self, numbers: Sequence[int], dispatcher: Dispatcher) -> SelectedRows:
        """Return the selected rows of some files, numbered as in the whole catalog.

        Parameters
        ----------
        numbers : sequence of int
            Of the files, ascending.
        dispatcher : Dispatcher

        Returns
        -------
        SelectedRows
            Their `rows` are never None.
        """
        rows = self._rows
        if rows is None:
            calls = ((n, self.partitions[n], self._question, dispatcher.settings) for n in numbers)
            rows = dict(dispatcher.each(read_rows, calls))
        return joined_rows([self._in_catalog(number, rows.pop(number)) for number in numbers])

    def _in_catalog(self, number: int, found: SelectedRows) -> SelectedRows:
        partition = self.partitions[number]
        rows = np.arange(partition.rows) if found.rows is None else found.rows
        return SelectedRows(rows + partition.first, found.positions, found.groups)


def survey_partitions(job: Job, partitions: Sequence[Partition], dispatcher: Dispatcher) -> Survey:
    """Hash the files of a catalog, and count their selected rows.

    Parameters
    ----------
    job : Job
    partitions : sequence of Partition
    dispatcher : Dispatcher

    Returns
    -------
    Survey

    Raises
    ------
    InputError
        If a file is damaged.
    """
    select = None if job.selection is None else job.selection.text
    question = Question(select, job.options.vo_metadata)
    kept = _FewRows()
    facts, extent = {}, SkyExtent()

    def calls() -> Iterator[tuple]:
        for number, partition in enumerate(partitions):
            yield number, partition, question, dispatcher.settings, kept.has_room

    for found in dispatcher.each(examine, calls()):
        extent.merge(found.extent)
        kept.add(found)
        facts[found.number] = replace(found, extent=_NOWHERE, rows=None)
    in_order = [facts[number] for number in range(len(partitions))]
    return Survey(partitions, in_order, extent, question, kept.rows)


class _FewRows:
    """Keeps the selected rows as long as they are few enough for one portion."""

    def __init__(self) -> None:
        self.rows: dict[int, SelectedRows] | None = {}
        self._count = 0

    @property
    def has_room(self) -> bool:
        """Whether rows are kept."""
        return self.rows is not None

    def add(self, facts: PartFacts):
        """Take in the rows of one file."""
        self._count += facts.selected
        if self.rows is not None and facts.rows is not None:
            self.rows[facts.number] = facts.rows
        if self._count > PORTION_ROWS:
            self.rows = None


def portions(facts: Iterable[PartFacts], most: float) -> Iterator[list[int]]:
    """Divide files into portions with at most so many selected rows, or one file.

    Parameters
    ----------
    facts : iterable of PartFacts
    most : float

    Yields
    ------
    list of int
        Numbers of the files, ascending.
    """
    portion: list[int] = []
    count = 0
    for found in facts:
        if portion and count + found.selected > most:
            yield portion
            portion, count = [], 0
        portion.append(found.number)
        count += found.selected
    if portion:
        yield portion
