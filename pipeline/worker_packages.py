"""Dask workers import our packages, whatever files of the user's have their names."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from distributed import Client, WorkerPlugin

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

    return OwnPackages()
