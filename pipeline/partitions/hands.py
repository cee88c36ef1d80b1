"""Who does the work on partitions: the workers of a cluster, or the command itself."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.dispatch import Hand, Threads, in_order_of_completion
from pipeline.job import Job
from pipeline.partitions.tasks import sees
from pipeline.work import connected, worker_settings


class Hands:
    """Does tasks of a run, in workers where there are some.

    Parameters
    ----------
    job : Job
    stack : ExitStack
        Ends the connection.

    Attributes
    ----------
    settings : WorkerSettings
    """

    def __init__(self, job: Job, stack: ExitStack):
        self._job, self._stack = job, stack
        self._client: Hand | None = None
        self._alone = not job.options.has_workers
        client = None if self._alone else self.client()
        self.settings = worker_settings(job, client)

    def client(self) -> Hand:
        """Return the client, connected when it is first asked for."""
        if self._client is None:
            self._client = self._stack.enter_context(connected(self._job))
        return self._client

    def share_files(self) -> bool:
        """Tell whether tasks on files are done by workers."""
        return not self._alone

    def keep_to_itself(self, path: Path, size: int | None) -> str | None:
        """Let the command do all tasks on files if a worker does not see one.

        Parameters
        ----------
        path : Path
        size : int or None
            Bytes; None: a folder.

        Returns
        -------
        str or None
            What to say of it; None: all workers see it.
        """
        client = self.client() if not self._alone else None
        if client is None or isinstance(client, Threads):
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
def opened_hands(job: Job) -> Iterator[Hands]:
    """Give those who do the work of a job, and let them go at the end."""
    with ExitStack() as stack:
        yield Hands(job, stack)
