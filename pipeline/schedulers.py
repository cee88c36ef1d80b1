"""Dask schedulers that run already: how they are named, reached, and woken."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distributed import Client
from distributed.scheduler import NoWorkerError

from catalogs.errors import InputError

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 30
_ADAPT_SECONDS = 24 * 3600
"""How long the first worker of a cluster that adapts may take: its job may wait in a queue."""


@contextmanager
def client_of(scheduler: str | Path | Client) -> Iterator[Client]:
    """Give a client of a scheduler.

    Parameters
    ----------
    scheduler : str, Path or Client
        As for `pipeline.cluster.connect`.

    Yields
    ------
    Client
        Closed at the end, unless it is the user's.

    Raises
    ------
    InputError
        If no scheduler answers, or the client is not one that can be used here.
    """
    if scheduler == "current":
        yield _checked(_current())
    elif isinstance(scheduler, Client):
        yield _checked(scheduler)
    elif isinstance(scheduler, str | Path):
        address = _address_in(scheduler) if isinstance(scheduler, Path) else scheduler
        client = _connected(address)
        try:
            yield client
        finally:
            with suppress(RuntimeError):  # of Dask's, where the scheduler is lost at this moment
                client.close()
    else:
        kind = type(scheduler).__name__
        raise InputError(f"scheduler must be an address or a Client, not a {kind}")


def _current() -> Client:
    try:
        return Client.current()
    except ValueError as error:
        raise InputError(
            "no Dask client is open in this process; open one, or give its address"
        ) from error


def _checked(client: Client) -> Client:
    """Refuse clients of the user's that cannot be used here."""
    if client.asynchronous:
        raise InputError("this Dask client is asynchronous; open one with asynchronous=False")
    if client.status != "running":
        raise InputError(f"this Dask client is {client.status}; open another")
    return client


def _address_in(file: Path) -> str:
    """Read the address from the file that a scheduler has written."""
    try:
        address = json.loads(file.read_text())["address"]
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; is the scheduler running?") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not the file of a Dask scheduler") from error
    return str(address)


def _connected(address: str) -> Client:
    if "://" not in address:
        raise InputError(f"{address}: not the address of a scheduler, such as tcp://host:8786")
    try:
        return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address}; check the address") from error


def wait_for_a_worker(client: Client):
    """Wait until there is a worker; a cluster that adapts starts one for a task that waits.

    Raises
    ------
    InputError
        If none comes in time.
    """
    if client.nthreads():
        return
    patience = _ADAPT_SECONDS if adaptive_of(client) is not None else _WORKER_SECONDS
    waiting = client.submit(len, (), pure=False)
    try:
        waiting.result(timeout=patience)
    except (TimeoutError, NoWorkerError) as error:
        waiting.release()
        address = client.scheduler.address
        raise InputError(f"the Dask scheduler at {address} has no workers; start some") from error


def adaptive_of(client: Client):
    """Return what adapts the cluster of a client, of `distributed.deploy.Adaptive`, or None."""
    return getattr(getattr(client, "cluster", None), "_adaptive", None)


def processes_of(client: Client) -> int:
    """Return how many worker processes there are, or may be once the cluster has adapted."""
    return max(1, len(client.nthreads()), most_workers(client))


def most_workers(client: Client) -> int:
    """Return how many workers a cluster that adapts may have, 1 if there is no limit.

    Returns
    -------
    int
        0 if the cluster does not adapt.
    """
    adaptive = adaptive_of(client)
    if adaptive is None:
        return 0
    return int(adaptive.maximum) if math.isfinite(adaptive.maximum) else 1
