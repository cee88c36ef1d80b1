"""Where the results of a run go as they come: results on disk, journal, kept cutouts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.urls import masked
from lsbg_classifier.cutouts.kept_files import KeptManifest
from pipeline.cutout_keeper import CutoutKeeper
from pipeline.job import IDENTITY_WORDS, Job
from pipeline.journal import Journal, record_dtype
from pipeline.plan import Plan, Unit, make_plan
from pipeline.results import Results
from pipeline.worker import UnitResult

TRIED_AGAIN = Flag.FETCH_FAILED | Flag.BAD_IMAGE
"""Flags of candidates that a resumed run fetches again: the source may be whole by then."""


class Recorder:
    """The results of one run, from an earlier start of it and as they come.

    Attributes
    ----------
    journal : Journal
    results : Results
    keeper : CutoutKeeper
    plan : Plan
    """

    def __init__(self, journal: Journal, keeper: CutoutKeeper, plan: Plan, results: Results):
        self.journal, self.keeper, self.results = journal, keeper, results
        self.plan = plan

    def take_up(self, belong: Callable[[np.ndarray], np.ndarray] | None = None):
        """Take the results of an earlier start from the journal.

        Parameters
        ----------
        belong : callable, optional
            Tells which of some rows are of this plan, where the journal has others too.

        Raises
        ------
        InputError
            If the journal holds rows that are not selected, or its kept cutouts are damaged.
        """
        scored_count = 0
        for records in final_results(self.journal):
            if belong is not None:
                records = records[belong(records["row"])]
            if not self.plan.has_rows(records["row"]):
                raise foreign_rows(self.journal)
            self.results.put(records)
            scored_count += int(np.count_nonzero(records["flags"] & NOT_SCORED == 0))
        self.keeper.compare(self.results, scored_count)

    def is_missing(self) -> bool:
        """Tell whether a selected row has no result yet."""
        return self.results.done_count() < self.results.selected_count()

    def missing_units(self) -> Iterator[Unit]:
        """Yield the units with the rows that have no result yet."""
        for unit in self.plan.units():
            missing = self.results.missing(unit.places)
            if missing.any():
                yield Unit(unit.rows[missing], unit.places[missing], unit.image)

    def positions(self, unit: Unit) -> np.ndarray:
        """Return the positions of a unit's rows: degrees, shape (n, 2)."""
        return np.asarray(self.plan.positions[unit.places])

    def add(self, result: UnitResult):
        """Record the results of one unit: on return they survive a kill."""
        self.keeper.add(result)
        self.journal.append(result.records)
        self.results.put(result.records)


def final_results(journal: Journal) -> Iterator[np.ndarray]:
    """Yield the results in a journal, without those of rows that a resumed run fetches again.

    Parameters
    ----------
    journal : Journal

    Yields
    ------
    structured array
        See `pipeline.journal.record_dtype`.
    """
    for records in journal.results():
        yield records[records["flags"] & TRIED_AGAIN == 0]


def foreign_rows(journal: Journal) -> InputError:
    """Return the error for a journal with results of rows that its job does not have."""
    return InputError(
        f"{journal.folder}: damaged, it has results of rows that are none of this job's; delete "
        "the folder to start again"
    )


@contextmanager
def opened_recorder(job: Job) -> Iterator[Recorder]:
    """Open what the results of a job are recorded in, with those of an earlier start.

    The journal is removed at the end. After a failure it stays for a resume, if it has results.

    Raises
    ------
    InputError
        If an unfinished run must not be continued, or what it left is damaged.
    """
    with opened_journal(job, job.identity()) as (journal, keeper):
        plan = make_plan(
            job.catalog, job.source, job.options.chunk_size, journal.folder, job.selection
        )
        results = Results(plan, job.options.column_keys, journal.folder)
        recorder = Recorder(journal, keeper, plan, results)
        recorder.take_up()
        yield recorder


@contextmanager
def opened_journal(
    job: Job, identity: Mapping[str, object]
) -> Iterator[tuple[Journal, CutoutKeeper]]:
    """Open the journal of a job, and what keeps its cutouts.

    The journal is removed at the end. After a failure it stays for a resume, if it has results.

    Parameters
    ----------
    job : Job
    identity : mapping
        Everything that decides the results; see `pipeline.journal.Journal`.

    Yields
    ------
    Journal, CutoutKeeper
    """
    journal = Journal(
        job.journal_folder,
        identity,
        record_dtype(job.options.column_keys),
        resume=job.options.resume,
        words=IDENTITY_WORDS,
    )
    keeper = None
    try:
        keeper = CutoutKeeper(journal, job.output, _kept_manifest(job, journal))
        yield journal, keeper
    except BaseException:
        journal.abandon()
        if keeper is not None:
            keeper.abandon()
        raise
    journal.remove()


def _kept_manifest(job: Job, journal: Journal) -> KeptManifest | None:
    """Describe the cutouts that the run keeps; None: it keeps none."""
    if not job.options.keep_cutouts:
        return None
    source = job.source
    return KeptManifest(
        masked(source.spec), source.imaging, job.catalog.row_count, journal.identity()
    )
