"""The scoring of a run: what workers are told, and units that go to them and come back."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Thread

from pipeline.chosen_rows import write_only
from pipeline.dispatch import Executor, connect, in_order_of_completion, processes_of
from pipeline.job import Job
from pipeline.locations import anywhere
from pipeline.observers import Observers
from pipeline.recorder import Recorder
from pipeline.summary import Summary
from pipeline.worker import WorkerSettings, loaded_classifier, score_unit


def connected(job: Job) -> AbstractContextManager[Executor]:
    """Connect to the threads or workers of a job; see `pipeline.dispatch.connect`."""
    options = job.options
    file = None if options.scheduler_file is None else Path(options.scheduler_file)
    return connect(file or options.scheduler, options.workers, job.slurm)


def score_missing(
    client: Executor, settings: WorkerSettings, recorder: Recorder, observers: Observers
):
    """Score every selected row that has no result yet, and record each unit as it comes.

    Parameters
    ----------
    client : Threads or Client
    settings : WorkerSettings
    recorder : Recorder
    observers : Observers
    """
    calls = (
        (unit.image, (unit.rows, recorder.positions(unit), settings))
        for unit in recorder.missing_units()
    )
    for result in in_order_of_completion(client, score_unit, calls):
        recorder.add(result)
        observers.add(result)


def worker_settings(job: Job, client: Executor | None) -> WorkerSettings:
    """Describe the work for one of several processes, which share the source's connections.

    Parameters
    ----------
    job : Job
    client : Threads, Client or None
        None: threads of this process do the work.

    Returns
    -------
    WorkerSettings
    """
    cutouts, source_options = anywhere(job.source.spec, job.options.of_source)
    if job.source.connections is not None:
        to_come = 0 if job.slurm is None else job.slurm.processes
        processes = 1 if client is None else max(processes_of(client), to_come)
        source_options["connections"] = max(1, job.source.connections // processes)
    weights, sha256, engine, prior = _weights_of(job)
    return WorkerSettings(
        run=uuid.uuid4().hex,
        cutouts=cutouts,
        source_options=tuple(sorted(source_options.items())),
        weights=weights,
        sha256=sha256,
        engine=engine,
        keys=job.options.column_keys,
        keep_cutouts=job.options.keep_cutouts,
        prior=prior,
    )


def finish(job: Job, summary: Summary):
    """Write the rows that ``--only`` chooses beside the output, once that has its name.

    Parameters
    ----------
    job : Job
    summary : Summary
        Gets the number of rows that were chosen.
    """
    if job.options.only is not None:
        summary.chosen = write_only(job.output, job.options)


@contextmanager
def network_loading(job: Job) -> Iterator[None]:
    """Load the network beside reading the catalog, if this process scores.

    It is awaited at the end: while TensorFlow starts, nothing reaches standard error.
    """
    if job.options.has_workers:
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


def _weights_of(job: Job) -> tuple[str, str, str, float]:
    """Return path and sha256 of the weights, what runs the network, and the prior."""
    card = job.weights.card
    return str(job.weights.path.resolve()), card.sha256, job.engine.name, job.prior
