"""Run a job: score what has no result yet, then write the catalog."""

import time
from pathlib import Path

from catalogs.output import remove_partials
from catalogs.partitions import partitions_of
from lsbg_classifier.reasons import take_reasons
from pipeline.dispatch import use_share_of_worker
from pipeline.job import Job, output_for, prepare
from pipeline.observers import Observers
from pipeline.options import Options
from pipeline.partitions import run_partitions
from pipeline.progress import Report
from pipeline.recorder import Recorder, opened_recorder
from pipeline.remarks import extent_of, remarks_on
from pipeline.replaced import finish_replaced
from pipeline.run_log import RunLog, opened_log
from pipeline.summary import Summary
from pipeline.work import connected, finish, network_loading, score_missing, worker_settings


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
    use_share_of_worker()
    take_reasons()  # those that came before this run
    observers = Observers(summary, log, progress)
    with network_loading(job):
        if partitions_of(job.catalog):
            run_partitions(job, observers)
        else:
            _run_whole(job, observers)
    summary.total_seconds = time.perf_counter() - started
    log.end(summary)
    return summary


def _run_whole(job: Job, observers: Observers):
    """Run a job whose catalog is a single file."""
    with opened_recorder(job) as recorder:
        observers.remarks(remarks_on(job, extent_of(recorder.plan.positions)))
        results = recorder.results
        observers.begin(results.done_count(), results.selected_count())
        if recorder.is_missing():
            with connected(job) as client:
                score_missing(client, worker_settings(job, client), recorder, observers)
        results.count(observers.summary)
        with recorder.keeper.published():
            _write(job, recorder)
        finish(job, observers.summary)


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
