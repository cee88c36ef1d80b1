"""The results of a run by partitions: a journal of one portion, and the files that are written."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from catalogs.output import put_in_place, remove_partials
from catalogs.partitions import Annotation, PartitionedCatalog
from pipeline.cutout_keeper import CutoutKeeper
from pipeline.job import Job
from pipeline.journal import Journal
from pipeline.partitions import survey as surveys
from pipeline.partitions.dispatcher import Dispatcher
from pipeline.partitions.records import WrittenParts
from pipeline.partitions.survey import Survey, portions
from pipeline.partitions.tasks import Writing, write
from pipeline.plan import plan_of
from pipeline.recorder import Recorder, final_results, foreign_rows, opened_journal
from pipeline.results import Results
from pipeline.summary import Summary


@dataclass
class PartsRecorder:
    """Where the results of a run by partitions go.

    Attributes
    ----------
    job : Job
    survey : Survey
    dispatcher : Dispatcher
    journal : Journal
    keeper : CutoutKeeper
    written : WrittenParts
    """

    job: Job
    survey: Survey
    dispatcher: Dispatcher
    journal: Journal
    keeper: CutoutKeeper
    written: WrittenParts

    def done_count(self) -> int:
        """Count the selected rows that need nothing more."""
        done = self.written.records
        facts = self.survey.facts
        count = sum(one.selected if one.number in done else one.unplaced for one in facts)
        numbers = np.array(list(done), np.int64)
        for records in final_results(self.journal):
            count += int(np.count_nonzero(~self._are_in(records["row"], numbers)))
        return count

    def portions(self) -> Iterator["Portion"]:
        """Open the portions of what is not written, one after the other.

        The cutouts that are kept are compared with all results; then there is one portion.
        """
        keeps, done = self.job.options.keep_cutouts, set(self.written.records)
        facts = [one for one in self.survey.facts if keeps or one.number not in done]
        for numbers in portions(facts, inf if keeps else surveys.PORTION_ROWS):
            yield self._opened(numbers)

    def _opened(self, numbers: Sequence[int]) -> "Portion":
        selected = self.survey.rows_of(numbers, self.dispatcher)
        total, chunk_size = self.job.catalog.row_count, self.job.options.chunk_size
        plan = plan_of(total, *selected, chunk_size)
        results = Results(plan, self.job.options.column_keys, self.journal.folder)
        recorder = Recorder(self.journal, self.keeper, plan, results)
        recorder.take_up(lambda rows: self._belong(rows, numbers))
        return Portion(numbers, recorder)

    def _belong(self, rows: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Tell which rows are in these files; refuse rows that are in none."""
        if not ((rows >= 0) & (rows < self.job.catalog.row_count)).all():
            raise foreign_rows(self.journal)
        return self._are_in(rows, numbers)

    def _are_in(self, rows: np.ndarray, numbers: ArrayLike) -> np.ndarray:
        """Tell which rows are in these files."""
        return np.isin(self.survey.numbers_of(rows), numbers)

    def write(self, portion: "Portion"):
        """Write the files of a portion, all rows of which are scored."""
        for record in self.dispatcher.each(write, self._calls_of_write(portion)):
            self.written.add(record)
        if not self.job.options.keep_cutouts:
            finished = np.array(self.written.without_failures(), np.int64)
            self.journal.retain(lambda rows: ~self._are_in(rows, finished))

    def _calls_of_write(self, portion: "Portion") -> Iterator[tuple]:
        """Yield the arguments of `write` for each file of a portion that is not written yet."""
        writing, results = self._writing(), portion.recorder.results
        for number in portion.numbers:
            if number not in self.written.records:
                partition = self.survey.partitions[number]
                values = results.between(partition.first, partition.first + partition.rows)
                yield number, partition, writing, values

    def _writing(self) -> Writing:
        folder, drafts = self.written.folder.absolute(), self.journal.folder.absolute() / "drafts"
        return Writing(folder, drafts, self._annotation(), self.job.threshold)

    def _annotation(self) -> Annotation:
        provenance = self.job.provenance(self.journal.identity()["date"]).as_mapping()
        overwrite = self.job.options.overwrite_columns
        return Annotation(self.job.columns, provenance, overwrite, self.survey.lengths())

    def publish(self):
        """Write what describes the catalog, and give the output its name."""
        output = self.job.output
        catalog = cast("PartitionedCatalog", self.job.catalog)
        catalog.write_rest(self.written.folder, self._annotation())
        self.written.note_whole()
        remove_partials(output)
        put_in_place(self.written.folder, output)

    def count(self, summary: Summary):
        """Add up what a summary tells of the rows."""
        for record in self.written.records.values():
            record.count(summary)


@dataclass(frozen=True)
class Portion:
    """Some files whose rows are planned, scored and journaled together.

    Attributes
    ----------
    numbers : sequence of int
    recorder : Recorder
    """

    numbers: Sequence[int]
    recorder: Recorder


@contextmanager
def opened_parts_recorder(
    job: Job, survey: Survey, dispatcher: Dispatcher
) -> Iterator[PartsRecorder]:
    """Open what the results of a job are recorded in, with those of an earlier start.

    Parameters
    ----------
    job : Job
    survey : Survey
    dispatcher : Dispatcher

    Yields
    ------
    PartsRecorder
    """
    identity = job.identity(survey.fingerprint()) | job.identity_of_writing()
    with opened_journal(job, identity) as (journal, keeper):
        shutil.rmtree(journal.folder / "drafts", ignore_errors=True)
        written = WrittenParts(journal.folder, survey.partitions, job.output)
        yield PartsRecorder(job, survey, dispatcher, journal, keeper, written)
