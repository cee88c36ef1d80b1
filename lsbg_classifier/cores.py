"""How many cores this process may use."""

import os
from contextlib import suppress
from pathlib import Path

THREADS = "LSBG_THREADS"
"""Environment variable: how many threads may work, for all callers of a process together."""

_CGROUP = Path("/sys/fs/cgroup")
_share: int | None = None


def usable_cores() -> int:
    """Return how many threads may work at the same time in this process.

    Returns
    -------
    int
        ``LSBG_THREADS``, or ``OMP_NUM_THREADS``, where that is a number above 0. Else the least of
        the cores that the process's affinity allows, what a container gives it (rounded up), and
        what `use_cores` has said.
    """
    # Dask sets OMP_NUM_THREADS to 1 in its workers; what a worker was told itself counts more.
    for name in (THREADS,) if is_shared() else (THREADS, "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    counts = [_by_affinity(), _by_cgroup(_CGROUP), _share]
    return max(1, min(count for count in counts if count is not None))


def use_cores(count: int):
    """Let this process use so many cores: one of several workers on a machine.

    TensorFlow is told as well, if it has not started yet.

    Parameters
    ----------
    count : int
    """
    global _share
    _share = max(1, count)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(_share))


def is_shared() -> bool:
    """Tell whether `use_cores` was called in this process."""
    return _share is not None


def _by_affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_cgroup(folder: Path) -> int | None:
    """Return the cores that a container's quota of time amounts to; None: there is no quota."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text()
        cores = -(-int(quota) // int(period))
        return cores if cores > 0 else None
    return None
