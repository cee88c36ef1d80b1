"""Clients of Dask: of a scheduler, of worker processes or threads, or of jobs of Slurm."""

import logging
import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path

import dask
from dask.system import CPU_COUNT
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed.comm import inproc
from distributed.scheduler import NoWorkerError

from catalogs.errors import InputError
from lsbg_classifier.cores import usable_cores
from pipeline.dispatch import CALLS_A_THREAD, INTERRUPT_SECONDS, Calls
from pipeline.interrupts import interrupts_held
from pipeline.schedulers import client_of, most_workers, wait_for_a_worker
from pipeline.slurm import SlurmJobs
from pipeline.worker_packages import own_packages_on

_LOOK_SECONDS = 5
_CALLS_A_THREAD_THAT_ADAPTS = 10

_SHORT_LOGS = {"distributed.admin.low-level-log-length": 20}
"""Dask keeps the last 1,000 messages to each worker for its developers, with the rows in them."""


@contextmanager
def connect(
    scheduler: str | Path | Client | None,
    workers: int | None = None,
    slurm: SlurmJobs | None = None,
) -> Iterator[Client]:
    """Connect to a Dask scheduler, or start one with workers, and give a client.

    Parameters
    ----------
    scheduler : str, Path, Client or None
        Address of a running scheduler, such as ``tcp://host:8786``; file that describes one; a
        client of one; or ``"current"`` for the client that is open. It is used as it is. None:
        threads of this process, for lsdb, which needs a client; runs of ours that are in threads
        have `pipeline.dispatch.Threads`.
    workers : int, optional
        Without a scheduler, start this many worker processes instead of threads.
    slurm : SlurmJobs, optional
        Start these jobs instead, and end them afterwards.

    Yields
    ------
    Client
        Closed at the end, with the workers that were started for it; not one that was given.

    Raises
    ------
    InputError
        If no scheduler answers at that address, or it has no workers, or Slurm starts none.
    """
    with dask.config.set(_SHORT_LOGS):
        if scheduler is not None:
            with _silent_loggers(), client_of(scheduler) as client, own_packages_on(client):
                wait_for_a_worker(client)
                yield client
        elif slurm is not None:
            with _silent_loggers(), slurm.started() as client, own_packages_on(client):
                yield client
        else:
            if not getattr(inproc.global_manager, "_ip", True):
                # Otherwise Dask looks for the route to 8.8.8.8, to name an unused address.
                inproc.global_manager._ip = "127.0.0.1"
            with _silent_loggers(("distributed",)), _local_client(workers) as client:
                yield client


@contextmanager
def _local_client(workers: int | None) -> Iterator[Client]:
    """Start threads, or so many worker processes, and give a client of theirs."""
    cluster = patience = None
    try:
        with interrupts_held():
            cluster = _local_cluster(workers)
        with Client(cluster, set_as_default=False) as client:
            with own_packages_on(client) if workers else nullcontext():
                if workers:
                    client.run(_leave_interrupts_to_us)
                yield client
    except KeyboardInterrupt:
        patience = INTERRUPT_SECONDS
        raise
    finally:
        if cluster is not None:
            with suppress(TimeoutError):
                cluster.close(timeout=patience)


def _local_cluster(workers: int | None) -> LocalCluster:
    return LocalCluster(
        n_workers=workers or 1,
        processes=bool(workers),
        threads_per_worker=1 if workers else usable_cores(),
        dashboard_address=None,
        scheduler_kwargs={
            "dashboard_address": "127.0.0.1:0"
        },  # not 8787, which another process may use
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        **(_options_of_processes(workers) if workers else {}),
    )


def _options_of_processes(count: int) -> dict:
    """Divide the cores among the processes; by default each would use all of them."""
    threads = str(max(1, CPU_COUNT // count))
    return {"env": {"LSBG_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads}}


def _leave_interrupts_to_us():
    """Ignore Ctrl-C in a worker process: the terminal sends it there too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _silent_loggers(
    names: tuple[str, ...] = ("distributed.client", "distributed.batched", "tornado.application"),
) -> Iterator[None]:
    """Keep back the tracebacks of a lost connection; our own message says it in one line."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def in_order_of_completion(client: Client, function: Callable, calls: Calls) -> Iterator:
    """Run ``function(*arguments)`` for each call and yield the results as they come.

    Parameters
    ----------
    client : Client
    function, calls
        As for `pipeline.dispatch.in_order_of_completion`.

    Yields
    ------
    object
        What the function returns, in the order in which the calls end.

    Raises
    ------
    InputError
        If the scheduler or all workers are lost, or a call has killed several workers.
    """
    address = client.scheduler.address
    crew = _Crew(client)
    waiting = as_completed(loop=client.loop, with_results=True)

    def submit_some():
        for number, arguments in islice(calls, max(0, crew.room - waiting.count())):
            home = crew.preferring(number)
            with warnings.catch_warnings(action="ignore"):  # Dask warns of large arguments
                waiting.add(client.submit(function, *arguments, pure=False, **home))

    submit_some()
    try:
        for future, result in waiting:
            if future.status != "finished":
                raise InputError(f"{address}: this Dask scheduler was lost; go on with --resume")
            future.release()
            crew.look()
            submit_some()
            yield result
    except KilledWorker as error:
        raise InputError(
            f"{address}: several workers died one after the other, perhaps for lack of memory; "
            "give them more, or take a smaller --chunk-size, and go on with --resume"
        ) from error
    except NoWorkerError as error:
        raise InputError(
            f"{address}: all workers are gone, perhaps at their time limit; go on with --resume"
        ) from error


class _Crew:
    """The workers of a client; the list is renewed now and then, for some may start later."""

    def __init__(self, client: Client):
        self._client, self._looked = client, -math.inf
        self._threads = 0
        self._addresses: list[str] = []
        self.look()

    @property
    def room(self) -> int:
        """How many calls may be under way: at least one, which wakes a cluster without workers.

        A cluster that adapts starts workers for calls that wait, so that more of them must.
        """
        threads, workers = self._threads, len(self._addresses)
        most = most_workers(self._client)
        if not most:
            return max(1, threads * CALLS_A_THREAD)
        threads_to_come = most * max(1, -(-threads // max(1, workers)))
        return max(threads_to_come * CALLS_A_THREAD, threads * _CALLS_A_THREAD_THAT_ADAPTS)

    def look(self):
        """Ask for the list of workers, at most once in a short time."""
        if time.monotonic() < self._looked + _LOOK_SECONDS:
            return
        with suppress(OSError):  # `in_order_of_completion` reports a lost scheduler
            if workers := self._client.nthreads():
                self._threads, self._addresses = sum(workers.values()), sorted(workers)
        self._looked = time.monotonic()

    def preferring(self, number: int | None) -> dict:
        """Return options of `Client.submit` by which calls of a number meet at a worker."""
        if number is None or not self._addresses:
            return {}
        home = self._addresses[number % len(self._addresses)]
        return {"workers": home, "allow_other_workers": True}
