"""Run a job: score what has no result yet, then write the catalog."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Union

from catalogs.output import remove_partials
from lsbg_classifier.reasons import take_reasons
from pipeline.chosen_rows import write_only
from pipeline.dispatch import Threads, connect, in_order_of_completion
from pipeline.job import Job, output_for, prepare
from pipeline.options import Options
from pipeline.progress import Report
from pipeline.recorder import Recorder, opened_recorder
from pipeline.remarks import extent_of, remarks_on
from pipeline.replaced import finish_replaced
from pipeline.run_log import RunLog, opened_log
from pipeline.summary import Summary
from pipeline.worker import WorkerSettings, loaded_classifier, score_unit

if TYPE_CHECKING:
    from distributed import Client


def prepare_and_run(
    input_path: str | Path,
    output: str | Path | None,
    options: Options,
    progress: Report | None = None,
) -> Summary:
    """Check a job and run it; both go to the log, if the options name one.

    Parameters
    ----------
    input_path : path or URL
    output : path
    options : Options
    progress : callable, optional

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        As of `pipeline.annotate`.
    """
    named = output_for(input_path, output, options)
    with opened_log(options.log, input_path, named) as log:
        finished = finish_replaced(named, options)
        if finished is not None:
            log.end(finished)
            return finished
        return run(prepare(input_path, output, options), log, progress)


def run(job: Job, log: RunLog, progress: Report | None = None) -> Summary:
    """Run a job that `prepare` has checked.

    Parameters
    ----------
    job : Job
    log : RunLog
        Is told what happens.
    progress : callable, optional

    Returns
    -------
    Summary
    """
    started = time.perf_counter()
    summary = Summary(job.threshold)
    log.start(job)
    take_reasons()  # those that came before this run
    with _network_loading(job), opened_recorder(job) as recorder:
        summary.remarks = remarks_on(job, extent_of(recorder.plan.positions))
        log.remarks(summary.remarks)
        _score_missing(job, recorder, _Observers(summary, log, progress))
        recorder.results.count(summary)
        with recorder.keeper.published():
            _write(job, recorder)
        if job.options.only is not None:
            summary.chosen = write_only(job.output, job.options)
    summary.total_seconds = time.perf_counter() - started
    log.end(summary)
    return summary


class _Observers:
    """The receivers of reports on how far a run is: its summary, its log and the progress shown."""

    def __init__(self, summary: Summary, log: RunLog, progress: Report | None):
        self._summary, self._log, self._progress = summary, log, progress
        self._done = self._total = 0

    def begin(self, done: int, total: int):
        """Tell that so many of the selected rows are done already."""
        self._done, self._total = done, total
        self._log.resume(done, total)
        self._show_progress()

    def add(self, result):
        """Tell of the results of one unit."""
        self._log.reasons(result.reasons)
        self._summary.add_unit(result)
        self._done += len(result.records)
        self._show_progress()

    def _show_progress(self):
        if self._progress is not None:
            self._progress(self._done, self._total)


def _score_missing(job: Job, recorder: Recorder, observers: _Observers):
    """Score every selected row that has no result yet, and record each unit as it comes."""
    done, total = recorder.results.done_count(), recorder.results.selected_count()
    observers.begin(done, total)
    if done == total:
        return
    with connect(job.options.scheduler, job.options.workers, job.slurm) as client:
        settings = _worker_settings(job, client)
        calls = (
            (unit.image, (unit.rows, recorder.positions(unit), settings))
            for unit in recorder.missing_units()
        )
        for result in in_order_of_completion(client, score_unit, calls):
            recorder.add(result)
            observers.add(result)


def _worker_settings(job: Job, client: Union[Threads, "Client"]) -> WorkerSettings:
    """Describe the work for one of several processes, which share the source's connections."""
    source_options = job.options.of_source
    if job.source.connections is not None:
        to_come = 0 if job.slurm is None else job.slurm.processes
        processes = max(len(client.nthreads()), to_come)
        source_options["connections"] = max(1, job.source.connections // processes)
    weights, sha256, engine = _weights_of(job)
    return WorkerSettings(
        run=uuid.uuid4().hex,
        cutouts=job.source.spec,
        source_options=tuple(sorted(source_options.items())),
        weights=weights,
        sha256=sha256,
        engine=engine,
        keys=job.options.column_keys,
        keep_cutouts=job.options.keep_cutouts,
    )


def _write(job: Job, recorder: Recorder):
    """Write the catalog with its new columns; its provenance is that of the job's first start."""
    remove_partials(job.output)
    mode = job.output.stat().st_mode if job.options.in_place else None
    job.catalog.write_annotated(
        job.output,
        job.columns,
        recorder.results.read,
        job.provenance(recorder.journal.identity()["date"]).as_mapping(),
        overwrite_columns=job.options.overwrite_columns,
        **({"vo_metadata": True} if job.options.vo_metadata else {}),
    )
    if mode is not None:
        job.output.chmod(mode & 0o7777)


@contextmanager
def _network_loading(job: Job) -> Iterator[None]:
    """Load the network beside reading the catalog, if this process scores.

    Where that starts TensorFlow, standard error is not heard meanwhile; so it has ended when this
    ends.
    """
    options = job.options
    if options.scheduler or options.workers or options.cluster:
        yield
        return
    loading = Thread(target=_try_to_load, args=(job,))
    loading.start()
    try:
        yield
    finally:
        loading.join()


def _try_to_load(job: Job):
    with suppress(Exception):  # the worker that needs the network raises the same, if one does
        loaded_classifier(*_weights_of(job))


def _weights_of(job: Job) -> tuple[str, str, str]:
    """Return path and sha256 of the weights, and what runs the network."""
    return str(job.weights.path.resolve()), job.weights.card.sha256, job.engine.name
