"""`lsbg inject-recover` on a cluster, with lost workers and kills; and as stages of ceci."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from astropy.io import fits
from test_cluster import running_scheduler, running_worker, wait_for_workers

from lsbg_classifier.detection.tiles import DetectionRequest
from pipeline.injection.detect import DetectOptions, prepare_detection, run_detection
from pipeline.injection.inject import InjectOptions
from pipeline.injection.recover import RecoverOptions, prepare_recovery, run_recovery
from pipeline.injection.tile_job import Where

pytestmark = pytest.mark.long

LSBG = Path(sys.executable).with_name("lsbg")
INJECT = InjectOptions("des", density=1.0, seed=6)
RECOVER = RecoverOptions(repeats=2)
RESULTS = ("truth.fits", "detections.fits", "completeness.json", "mocks.csv")


@pytest.fixture
def tiles(small_survey):
    return small_survey.tiles


def recover(tiles, output, progress=None, **where):
    job = prepare_recovery(tiles, output, INJECT, RECOVER, where=Where(**where))
    run_recovery(job, progress)
    return contents(output)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def expected(small_survey, tmp_path_factory):
    """What one process makes of them."""
    return recover(small_survey.tiles, tmp_path_factory.mktemp("local") / "out")


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(tiles, expected, tmp_path):
    with (
        running_scheduler(tmp_path) as (address, _),
        running_worker(tmp_path / "lasting", address),
        running_worker(tmp_path / "doomed", address) as doomed,
    ):
        wait_for_workers(address, 2)
        killed = []

        def kill_once(done, total):
            if done == 1 and not killed:
                killed.append(total)
                doomed.kill()

        assert recover(tiles, tmp_path / "out", kill_once, scheduler=address) == expected
    assert killed == [4]


def test_a_killed_run_goes_on_to_the_same_bytes(tiles, expected, tmp_path):
    output = tmp_path / "out"
    arguments = ("inject-recover", tiles, output, "-q", "--mocks", "des", "--density", "1")
    command = [LSBG, *map(str, arguments), "--seed", "6", "--repeats", "2"]
    running = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 300
    parts = output.with_name("out.journal")
    while not list(parts.glob("truth-*.fits")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not output.exists() or not list(output.iterdir())
    first = {path: path.stat().st_mtime_ns for path in parts.glob("detections-*.fits")}
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 1 and again.stderr.count("\n") == 1 and "--resume" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in first} == first
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=500)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(output) == expected
    assert not parts.exists()


def test_the_stages_of_mocks_run_under_ceci(tiles, expected, tmp_path):
    """Ceci's own launcher: the chain, then the count of what the chain has written."""
    pytest.importorskip("ceci", reason="needs the extra ceci")
    stages = {
        "InjectRecoverLsbgStage": {"density": 1.0, "seed": 6, "repeats": 2, "mocks": "des"},
        "CompletenessLsbgStage": {"threshold": 0.5},
    }
    renamed = {"annotated_candidates": "mock_detections", "lsbg_completeness": "counted_again"}
    pipeline = {
        "modules": "lsbg_classifier.stages.ceci",
        "stages": [
            {"name": "InjectRecoverLsbgStage"},
            {"name": "CompletenessLsbgStage", "aliases": renamed},
        ],
        "inputs": {"coadd_tiles": str(tiles)},
        "config": "config.yaml",
        "output_dir": "out",
        "log_dir": "out/logs",
        "resume": False,
        "launcher": {"name": "mini", "interval": 0.5},
        "site": {"name": "local", "max_threads": 1},
    }
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(stages))
    path = f"{LSBG.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [LSBG.with_name("ceci"), "pipeline.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=500,
    )
    said = "".join(log.read_text() for log in tmp_path.glob("out/logs/*.out"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{said}"
    out = tmp_path / "out"
    assert (out / "mock_truth.fits").read_bytes() == expected["truth.fits"]
    assert (out / "mock_detections.fits").read_bytes() == expected["detections.fits"]
    for folder in ("lsbg_completeness", "counted_again"):
        assert (out / folder / "completeness.json").read_bytes() == expected["completeness.json"]
    assert said.count("mocks; of these") == 2


def test_detection_in_worker_processes_gives_the_same_bytes(tiles, tmp_path):
    made = []
    for name, workers in (("one.fits", None), ("two.fits", 2)):
        options = DetectOptions(DetectionRequest(estimate_i=True))
        where = Where(workers=workers)
        run_detection(prepare_detection(tiles, tmp_path / name, options, where=where))
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert len(fits.getdata(tmp_path / "one.fits")) > 100
