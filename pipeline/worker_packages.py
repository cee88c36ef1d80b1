"""Dask workers import our packages, whatever files of the user's have their names.

And each worker process uses as many cores as it has threads: a node runs several of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from distributed import Client, WorkerPlugin, get_worker

from lsbg_classifier.cores import use_cores
from lsbg_classifier.floors import prefer_own

_NAME = "packages of lsbg_classifier"


@contextmanager
def own_packages_on(client: Client) -> Iterator[None]:
    """See to it that all workers, also those that come later, import our packages as ours.

    A worker that was started in a folder with a file ``pipeline.py`` would run that file when the
    first task of ours reaches it.

    Raises
    ------
    ShadowedPackageError
        If a worker has imported such a file before; the message names it.
    """
    client.register_plugin(_plugin(), name=_NAME)
    try:
        yield
    finally:
        with suppress(Exception):  # a lost scheduler is reported by others
            client.unregister_worker_plugin(_NAME)


def _plugin() -> WorkerPlugin:
    """Make a plugin that is sent by value: by name, it would be looked for in ``pipeline.py``."""

    class OwnPackages(WorkerPlugin):
        idempotent = True

        def setup(self, worker):
            prefer_own("catalogs")
            prefer_own("pipeline")
            if not worker.address.startswith("inproc"):
                use_cores(worker.state.nthreads)

    return OwnPackages()


def use_share_of_worker() -> bool:
    """Use only the cores of this worker, if a task of a Dask worker calls this.

    It does where lsdb, or a user's own graph, scores partitions.

    Returns
    -------
    bool
        Whether a task of a Dask worker calls this.
    """
    try:
        worker = get_worker()
    except ValueError:
        return False
    if not worker.address.startswith("inproc"):
        use_cores(worker.state.nthreads)
    return True
