"""Hand units of work to threads of this process, or to the workers of a Dask scheduler.

Threads need no Dask, whose import and cluster of one process cost more than ten candidates do.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from lsbg_classifier.cores import usable_cores

if TYPE_CHECKING:
    from distributed import Client

    from pipeline.slurm import SlurmJobs

INTERRUPT_SECONDS = 5
"""How long a run that is interrupted waits for calls under way, such as to a server that hangs."""

CALLS_A_THREAD = 2
"""How many calls a thread may have under way or waiting."""

Calls = Iterator[tuple[int | None, tuple]]
"""The arguments of each call of a function, after a number; see `in_order_of_completion`."""


class Threads:
    """Threads of this process, which do what workers of a Dask scheduler would.

    Parameters
    ----------
    count : int, optional
        As many as the process may use cores if None.
    """

    def __init__(self, count: int | None = None):
        self._count = count or usable_cores()
        self._calls: SimpleQueue = SimpleQueue()
        self._results: SimpleQueue = SimpleQueue()
        self._threads: list[Thread] = []

    def nthreads(self) -> dict[str, int]:
        """Return the number of threads of the one worker, this process."""
        return {"threads": self._count}

    def in_order_of_completion(self, function: Callable, calls: Calls) -> Iterator:
        """Run a function for each call and yield the results; see `in_order_of_completion`."""
        self._start()
        under_way = 0
        while True:
            for _, arguments in islice(calls, CALLS_A_THREAD * self._count - under_way):
                self._calls.put((function, arguments))
                under_way += 1
            if not under_way:
                return
            result, error = self._results.get()
            under_way -= 1
            if error is not None:
                raise error
            yield result

    def close(self, patience: float | None = None):
        """Drop the calls that no thread has begun, and wait for the others.

        Parameters
        ----------
        patience : float, optional
            Wait at most so many seconds; None: as long as it takes.
        """
        try:
            while True:
                self._calls.get_nowait()
        except Empty:
            pass
        for _ in self._threads:
            self._calls.put(None)
        until = None if patience is None else monotonic() + patience
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - monotonic()))

    def _start(self):
        """Start the threads once; they end with the process, even if a server never answers."""
        if self._threads:
            return
        self._threads = [
            Thread(target=self._work, name=f"lsbg-unit-{number}", daemon=True)
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self):
        while (call := self._calls.get()) is not None:
            function, arguments = call
            try:
                self._results.put((function(*arguments), None))
            except BaseException as error:  # whoever waits for the result raises it
                self._results.put((None, error))


Executor: TypeAlias = Union[Threads, "Client"]
"""What runs the calls: threads of this process, or the workers of a client."""


@contextmanager
def connect(
    scheduler: Any = None, workers: int | None = None, slurm: "SlurmJobs | None" = None
) -> Iterator[Executor]:
    """Give threads of this process, or a client of Dask where one is asked for.

    Parameters
    ----------
    scheduler, workers, slurm
        As for `pipeline.cluster.connect`. Threads if all are None: one for each core, or a single
        one in a task of a Dask worker.

    Yields
    ------
    Threads or Client

    Raises
    ------
    InputError
        As of `pipeline.cluster.connect`.
    """
    if scheduler is not None or workers is not None or slurm is not None:
        from pipeline.cluster import connect as connect_dask

        with connect_dask(scheduler, workers, slurm) as client:
            yield client
        return
    # The other threads of a Dask worker have tasks of their own.
    threads, patience = Threads(1 if use_share_of_worker() else None), None
    try:
        yield threads
    except KeyboardInterrupt:
        patience = INTERRUPT_SECONDS
        raise
    finally:
        threads.close(patience)


def in_order_of_completion(client: Executor, function: Callable, calls: Calls) -> Iterator:
    """Run ``function(*arguments)`` for each call and yield the results as they come.

    Only a few calls a thread are under way at any time, so that memory stays bounded.

    Parameters
    ----------
    client : Threads or Client
        What `connect` gives.
    function : callable
    calls : iterator of (int or None, tuple)
        A number, and the arguments. Calls of the same number go to the same worker process, unless
        that is busy while another has nothing to do, or is gone.

    Yields
    ------
    object
        What the function returns, in the order in which the calls end.

    Raises
    ------
    Exception
        What the function raises; `InputError` if the workers of a scheduler are lost.
    """
    if isinstance(client, Threads):
        yield from client.in_order_of_completion(function, calls)
        return
    from pipeline.cluster import in_order_of_completion as in_order_of_dask

    yield from in_order_of_dask(client, function, calls)


def processes_of(client: Executor) -> int:
    """Return how many processes do the work, or may do it once a cluster has adapted.

    Parameters
    ----------
    client : Threads or Client

    Returns
    -------
    int
    """
    if isinstance(client, Threads):
        return 1
    from pipeline.schedulers import processes_of as processes_of_dask

    return processes_of_dask(client)


def use_share_of_worker() -> bool:
    """Use only the cores of this worker, if a task of a Dask worker calls this.

    Returns
    -------
    bool
        Whether a task of a Dask worker calls this; without Dask none does, and it stays away.
    """
    if "distributed" not in sys.modules:
        return False
    from pipeline.worker_packages import use_share_of_worker as use_share_of_dask_worker

    return use_share_of_dask_worker()
