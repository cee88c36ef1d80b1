"""Run a network on batches of cutouts, several at a time where one thread runs each."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

from lsbg_classifier.cores import usable_cores
from lsbg_classifier.engines.choice import Engine

_Answer = TypeVar("_Answer")


def in_batches(
    engine: Engine, function: Callable[[np.ndarray, np.ndarray], _Answer], cutouts: np.ndarray
) -> list[_Answer]:
    """Call a function for each batch of cutouts.

    The threads are those of the process: callers that come at the same time share them.

    Parameters
    ----------
    engine : Engine
        Tells the size of a batch, and whether one thread runs it.
    function : callable
        Called with the places of the cutouts, int64 of shape (n,), and a batch of them, uint8 of
        shape (batch, 64, 64, 3). The rest of the last batch is of no meaning.
    cutouts : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    list
        What the function returns, in the order of the cutouts; empty if there are none.
    """
    batches = list(_batches(cutouts, engine.batch))
    if len(batches) < 2 or not engine.one_thread or usable_cores() == 1:
        return [function(*batch) for batch in batches]
    return list(_pool(usable_cores()).map(lambda batch: function(*batch), batches))


def _batches(cutouts: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give places and cutouts in batches of one size; only the last one is a copy."""
    for start in range(0, len(cutouts), size):
        images = cutouts[start : start + size]
        places = np.arange(start, start + len(images))
        if len(images) < size:
            images = np.zeros((size, *cutouts.shape[1:]), np.uint8)
            images[: len(places)] = cutouts[start:]
        yield places, np.ascontiguousarray(images)


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="lsbg-network")


if hasattr(os, "register_at_fork"):  # threads do not live on in a process that is forked
    os.register_at_fork(after_in_child=_pool.cache_clear)
