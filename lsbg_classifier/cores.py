"""How many cores this process may use."""

import os
from contextlib import suppress
from pathlib import Path

THREADS = "LSBG_THREADS"
"""Environment variable: how many threads may work, for all callers of a process together."""

_GROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return how many threads may work at the same time in this process.

    Returns
    -------
    int
        ``LSBG_THREADS``, or ``OMP_NUM_THREADS``, where that is a number above 0; else the cores
        that the process may use, of which a container's share of time may leave fewer.
    """
    for name in (THREADS, "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    cores = len(known) if known else os.cpu_count() or 1
    return max(1, min(cores, round(_share() or cores)))


def _share() -> float | None:
    """Return the share of time of a container, in cores; None: all of it (see cgroups(7))."""
    with suppress(OSError, ValueError):
        quota, period = (_GROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        quota_us, period_us = (int((_GROUP / "cpu" / name).read_text()) for name in names)
        return quota_us / period_us if quota_us > 0 else None
    return None
