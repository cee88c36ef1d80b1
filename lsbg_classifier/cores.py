"""How many cores this process may use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_share: int | None = None


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1.

    The least of those that its affinity allows, what its cgroup gives it (rounded up), and what
    `use_cores` has said.

    Returns
    -------
    int
    """
    counts = [_by_affinity(), _by_cgroup(_CGROUP), _share]
    return max(1, min(count for count in counts if count is not None))


def use_cores(count: int):
    """Let this process use so many cores: one of several workers on a machine.

    TensorFlow is told as well, if it has not started yet.
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
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text()
        cores = -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None
