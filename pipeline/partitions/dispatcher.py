"""Hand the files of a catalog to workers, or do the work on them in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.dispatch import Executor, Threads, in_order_of_completion
from pipeline.job import Job
from pipeline.partitions.tasks import sees
from pipeline.work import connected, worker_settings


class Dispatcher:
    """Runs tasks on the files of a catalog, in workers where there are some that see the files.

    Parameters
    ----------
    job : Job
    stack : ExitStack
        Ends the connection.

    Attributes
    ----------
    settings : WorkerSettings
        For scoring, and for the source of cutouts; see `pipeline.work.worker_settings`.
    """

    def __init__(self, job: Job, stack: ExitStack):
        self._job, self._stack = job, stack
        self._client: Executor | None = None
        self._alone = not job.options.has_workers
        client = None if self._alone else self.client()
        self.settings = worker_settings(job, client)

    def client(self) -> Executor:
        """Return the client, connected when it is first asked for."""
        if self._client is None:
            self._client = self._stack.enter_context(connected(self._job))
        return self._client

    def work_alone_unless_seen(self, path: Path, size: int | None) -> str | None:
        """Leave all tasks on files to this process if a worker does not see one of them.

        Parameters
        ----------
        path : Path
        size : int or None
            Bytes; None: a folder.

        Returns
        -------
        str or None
            A sentence that names the worker and the file, for the user; None: all see it.
        """
        if self._alone:
            return None
        client = self.client()
        if isinstance(client, Threads):
            return None
        seen = client.run(sees, path, size)
        if all(seen.values()):
            return None
        self._alone = True
        blind = next(worker for worker, answer in sorted(seen.items()) if not answer)
        return (
            f"the worker {blind} does not see {path}: this process alone reads and writes the "
            "catalog, which takes longer"
        )

    def each(self, function: Callable, calls: Iterator[tuple]) -> Iterator:
        """Call a function with each of the arguments.

        Parameters
        ----------
        function : callable
        calls : iterator of tuple
            Taken as the work goes on.

        Yields
        ------
        object
            The results, in any order.
        """
        if self._alone:
            yield from (function(*arguments) for arguments in calls)
        else:
            unbound = ((None, arguments) for arguments in calls)
            yield from in_order_of_completion(self.client(), function, unbound)


@contextmanager
def opened_dispatcher(job: Job) -> Iterator[Dispatcher]:
    """Give the dispatcher of a job, and end its connection to workers afterwards."""
    with ExitStack() as stack:
        yield Dispatcher(job, stack)
