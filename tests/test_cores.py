"""How many cores a process uses: what its affinity, its container and its worker leave it."""

import os
import subprocess
import sys

import pytest

from lsbg_classifier import cores


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "_share", None)
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(cores, "_by_affinity", lambda: 12)
    for name in ("LSBG_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 12), ("250000 100000", 3), ("50000 100000", 1), ("9900000 100000", 12)],
)
def test_a_container_s_quota_counts(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores.usable_cores() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 12), ("400000", 4)])
def test_an_old_container_s_quota_counts(tmp_path, quota, expected):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cores.usable_cores() == expected


def test_a_worker_uses_its_share_whatever_dask_sets(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores.usable_cores() == 1
    cores.use_cores(4)
    assert cores.usable_cores() == 4 and os.environ["TF_NUM_INTRAOP_THREADS"] == "4"
    cores.use_cores(64)
    assert cores.usable_cores() == 12
    monkeypatch.setenv("LSBG_THREADS", "3")
    assert cores.usable_cores() == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_affinity_counts():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from lsbg_classifier.cores import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
