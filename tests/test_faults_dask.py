"""Workers that die one after the other, and a scheduler that goes away under the command."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits
from test_cluster import running_scheduler, running_worker, wait_for_workers
from viewer import Viewer

from pipeline import annotate

LSBG = Path(sys.executable).with_name("lsbg")


@pytest.fixture(scope="module")
def catalog(survey, tmp_path_factory):
    """Every third candidate of the survey."""
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[::3]).writeto(path)
    return path


@pytest.mark.long
@pytest.mark.slow
def test_two_workers_killed_one_after_the_other(survey, catalog, tmp_path):
    with (
        Viewer(survey.tiles) as viewer,
        running_scheduler(tmp_path) as (address, _),
        running_worker(tmp_path / "steady", address),
        running_worker(tmp_path / "first", address) as first,
        running_worker(tmp_path / "second", address) as second,
    ):
        wait_for_workers(address, 3)
        source = {
            "cutouts": "legacysurvey:des-dr1",
            "source_options": {"url": viewer.url},
            "chunk_size": 2,
        }

        def progress(done, total):
            if done:
                first.kill()
            if done >= total / 2:
                second.kill()

        annotate(catalog, tmp_path / "a.fits", scheduler=address, progress=progress, **source)
        assert first.wait(30) < 0 and second.wait(30) < 0
        annotate(catalog, tmp_path / "b.fits", **source)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


@pytest.mark.long
@pytest.mark.slow
def test_a_lost_scheduler_is_one_line_of_the_command(survey, catalog, tmp_path):
    """What Dask itself says of lost connections must not be seen."""
    output = tmp_path / "out.fits"
    with (
        Viewer(survey.tiles) as viewer,
        running_scheduler(tmp_path) as (address, scheduler),
        running_worker(tmp_path / "worker", address),
    ):
        arguments = [LSBG, "classify", catalog, output, "--chunk-size", "1", "--quiet"]
        arguments += ["--cutouts", "legacysurvey:des-dr1", "--url", viewer.url]
        log = tmp_path / "out.fits.journal" / "results.log"
        viewer.faults = lambda number, path: (
            scheduler.kill() if log.exists() and log.stat().st_size else None
        )
        result = subprocess.run(
            [*arguments, "--scheduler", address], capture_output=True, text=True, timeout=200
        )
        assert (result.returncode, result.stdout) == (1, "")
        message = rf"lsbg: {address}: this Dask scheduler was lost; go on with --resume\n"
        assert re.fullmatch(message, result.stderr), result.stderr
        assert not output.exists()
        viewer.faults = lambda number, path: None
        resumed = subprocess.run(
            [*arguments, "--resume"], capture_output=True, text=True, timeout=200
        )
        assert (resumed.returncode, resumed.stdout, resumed.stderr) == (0, "", "")
    assert len(fits.getdata(output)) == len(fits.getdata(catalog))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 0.5, 1, 1.5])
def test_a_signal_while_workers_start_is_one_line(survey, catalog, tmp_path, delay):
    arguments = [LSBG, "classify", catalog, tmp_path / "out.fits", "--quiet", "--workers", "2"]
    arguments += ["--cutouts", f"tiles:{survey.tiles}"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as command:
        while not psutil.Process(command.pid).children():
            time.sleep(0.02)
        time.sleep(delay)
        workers = psutil.Process(command.pid).children(recursive=True)
        command.send_signal(signal.SIGTERM)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert said == "lsbg: interrupted; to finish, go on with --resume\n"
    assert psutil.wait_procs(workers, timeout=20)[1] == []
