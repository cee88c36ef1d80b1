"""A catalog in, the same catalog out with a probability and a flag beside every candidate."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.output import remove_partials
from catalogs.urls import masked
from lsbg_classifier.backend import start_backend
from pipeline.cluster import connect, in_order_of_completion
from pipeline.job import Job, Options, prepare
from pipeline.journal import Journal
from pipeline.kept import Keeper, KeptManifest
from pipeline.plan import Plan, make_plan
from pipeline.progress import show_progress
from pipeline.results import Results
from pipeline.summary import Summary
from pipeline.work import Work, score

Progress = Callable[[int, int], None]

_TRIED_AGAIN = Flag.FETCH_FAILED | Flag.BAD_IMAGE
"""Flags of candidates that a resumed run fetches again: the source may be whole by then."""


def annotate(
    input_path: str | Path,
    output: str | Path,
    *,
    cutouts: str,
    progress: Progress | bool | None = None,
    **options,
) -> Summary:
    """Write the catalog again, with a probability and a flag beside every candidate.

    Parameters
    ----------
    input_path : path or URL
        FITS table or Parquet file or folder; SourceExtractor's FITS_1.0 and FITS_LDAC too.
    output : path
        Written in the same format, under this name only when it is whole.
    cutouts : str
        Where the images come from: ``tiles:FOLDER``, ``legacysurvey:LAYER``, ``hips:ID``.
    progress : callable or bool, optional
        Called with (rows done, rows in all), of those that the selection keeps. True: shown as
        `pipeline.progress.show_progress` does, in a terminal, a notebook or a log.
    options
        The attributes of `Options`.

    Returns
    -------
    Summary
        Counts of rows, flags and scores, and where the time went.

    Raises
    ------
    InputError
        For anything that the user can mend, in one line: an unreadable input, no position column,
        an output that exists, unknown weights or source, weights for other images, a source that
        refuses everything. The output is not written; what was scored is kept for a resume.
    """
    job = prepare(input_path, output, cutouts, Options(**options))
    if not isinstance(progress, bool):
        return run(job, progress)
    with show_progress("candidates", quiet=not progress) as shown:
        return run(job, shown)


def run(job: Job, progress: Progress | None = None) -> Summary:
    """Run a job that `prepare` has checked; see `annotate`."""
    with _backend_starting(job.options):
        return _run(job, progress)


@contextmanager
def _backend_starting(options: Options) -> Iterator[None]:
    """Start the network's backend, if this process scores: beside reading the catalog.

    That takes seconds, in which standard error is not heard; so it has ended when this ends.
    """
    if options.scheduler or options.workers or options.cluster:
        yield
        return
    starting = Thread(target=_try_to_start)
    starting.start()
    try:
        yield
    finally:
        starting.join()


def _try_to_start():
    with suppress(Exception):  # said by the worker that needs it, if one does
        start_backend()


def _run(job: Job, progress: Progress | None) -> Summary:
    started = time.perf_counter()
    journal = Journal(job.journal_folder, job.identity(), resume=job.options.resume)
    summary = Summary(job.threshold)
    keeper = None
    try:
        keeper = Keeper(journal, job.output, _kept_manifest(job, journal))
        chunk_size = job.options.chunk_size
        plan = make_plan(job.catalog, job.source, chunk_size, journal.folder, job.selection)
        results = Results(plan, journal.folder)
        scored = 0
        for record in journal.results():
            kept = record[record["flags"] & _TRIED_AGAIN == 0]
            if not results.has_rows(kept["row"]):
                raise InputError(
                    f"{journal.folder}: damaged, it has results of rows that are none of this "
                    "job's; delete the folder to start again"
                )
            results.put(kept["row"], kept["probability"], kept["flags"])
            scored += int(np.count_nonzero(kept["flags"] & NOT_SCORED == 0))
        keeper.go_on(results, scored)
        _score(job, plan, journal, results, keeper, summary, progress)
        results.count(summary)
        with keeper.published():
            _write(job, journal, results)
    except BaseException:
        journal.abandon()
        if keeper is not None:
            keeper.abandon()
        raise
    journal.remove()
    summary.total_seconds = time.perf_counter() - started
    return summary


def _kept_manifest(job: Job, journal: Journal) -> KeptManifest | None:
    """Say what the cutouts are that shall be kept; None: none shall."""
    if not job.options.keep_cutouts:
        return None
    source = job.source
    return KeptManifest(
        masked(source.spec), source.imaging, job.catalog.row_count, journal.identity()
    )


def _score(job: Job, plan: Plan, journal: Journal, results: Results, keeper, summary, progress):
    """Score every selected row that has no result yet; each unit is journaled as it comes."""
    done, total = results.done_count(), results.selected_count()
    if progress is not None:
        progress(done, total)
    if done == total:
        return
    with connect(job.options.scheduler, job.options.workers, job.jobs) as client:
        to_come = 0 if job.jobs is None else job.jobs.processes
        work = _work(job, max(len(client.nthreads()), to_come))
        remaining = ((results.missing(rows), image) for rows, image in plan.units_by_image())
        calls = (
            (image, (rows, np.asarray(plan.positions[plan.places(rows)]), work))
            for rows, image in remaining
            if len(rows)
        )
        for scored in in_order_of_completion(client, score, calls):
            if scored.cutouts is not None:
                positions = np.asarray(plan.positions[plan.places(scored.rows)])
                keeper.add(scored.rows, positions, scored.flags, scored.cutouts)
            journal.append(scored.rows, scored.probabilities, scored.flags)
            results.put(scored.rows, scored.probabilities, scored.flags)
            summary.fetch_seconds += scored.fetch_seconds
            summary.network_seconds += scored.network_seconds
            done += len(scored.rows)
            if progress is not None:
                progress(done, total)


def _work(job: Job, processes: int) -> Work:
    """Describe the work for one of several processes, which share the source's connections."""
    options = dict(job.options.source_options)
    if job.source.connections is not None:
        options["connections"] = max(1, job.source.connections // processes)
    return Work(
        uuid.uuid4().hex,
        job.source.spec,
        tuple(sorted(options.items())),
        str(job.weights.path.resolve()),
        job.weights.card.sha256,
        job.options.keep_cutouts,
    )


def _write(job: Job, journal: Journal, results: Results):
    """Write the catalog with its new columns; provenance is that of the job's first start."""
    identity = journal.identity()
    provenance = {
        key: str(identity[key])
        for key in ("weights", "weights_sha256", "source", "software", "date")
    }
    provenance["threshold"] = f"{job.threshold:g}"
    remove_partials(job.output)
    if identity.get("select") is not None:
        provenance["select"] = identity["select"]
    job.catalog.write_annotated(
        job.output,
        job.columns,
        results.read,
        provenance,
        overwrite_columns=job.options.overwrite_columns,
        **({"vo_metadata": True} if job.options.vo_metadata else {}),
    )
