"""Jobs of Slurm as workers: what is asked for, and jobs that run, here without Slurm itself.

The commands `sbatch` and `scancel` of these tests start a job's script as a process of this
machine, and end it.
"""

import inspect
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import dask
import numpy as np
import pytest
from astropy.io import fits

from catalogs.errors import InputError
from pipeline import annotate, slurm

if find_spec("dask_jobqueue") is None:
    pytest.skip("jobs of Slurm are an extra", allow_module_level=True)
dask_jobqueue = slurm._jobqueue()

SBATCH = """#!/bin/sh
cp "$1" "$JOBS/script.$$"
setsid sh "$JOBS/script.$$" >"$JOBS/log.$$" 2>&1 </dev/null &
touch "$JOBS/$!.job" "$JOBS/$!.begun"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -TERM "-$1"
rm "$JOBS/$1.job"
"""
JOB = """
cores = 1
processes = 1
memory = "4 GB"
nanny = false
worker_extra_args = ["--no-dashboard", "--host", "127.0.0.1"]
[scheduler_options]
host = "127.0.0.1"
"""


class Queue:
    """A folder of jobs that the commands of Slurm write to."""

    def __init__(self, folder: Path):
        self.folder = folder

    def command(self, name: str, script: str):
        path = self.folder.parent / "bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def running(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.job")]

    def submitted(self) -> list[str]:
        return [path.read_text() for path in self.folder.glob("script.*")]

    def kill(self):
        for job in self.running():
            os.killpg(job, signal.SIGKILL)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    for name in ("bin", "jobs"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("JOBS", str(tmp_path / "jobs"))
    queue = Queue(tmp_path / "jobs")
    queue.command("sbatch", SBATCH)
    queue.command("scancel", SCANCEL)
    yield queue
    assert not queue.running(), "a job was left in the queue"
    deadline = time.monotonic() + 30
    for begun in (tmp_path / "jobs").glob("*.begun"):
        while not gone(int(begun.stem)):
            assert time.monotonic() < deadline, "a job goes on"
            time.sleep(0.05)


@pytest.fixture
def describe(tmp_path):
    def write(text):
        path = tmp_path / "slurm.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def catalog(survey, tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[::8]).writeto(path)
    return path


def gone(process: int) -> bool:
    """Whether a process has ended; one that nobody waited for has too."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.long
@pytest.mark.slow
def test_jobs_score_what_threads_score(survey, catalog, queue, describe, tmp_path):
    jobs = []
    annotate(
        catalog,
        tmp_path / "jobs.fits",
        cutouts=f"tiles:{survey.tiles}",
        cluster=describe("jobs = 2\nwalltime = '00:10:00'\n" + JOB),
        chunk_size=1,
        progress=lambda done, total: jobs.extend(queue.running()),
    )
    annotate(catalog, tmp_path / "threads.fits", cutouts=f"tiles:{survey.tiles}", chunk_size=1)
    assert (tmp_path / "jobs.fits").read_bytes() == (tmp_path / "threads.fits").read_bytes()
    assert len(set(jobs)) == 2
    assert all("#SBATCH -t 00:10:00" in script for script in queue.submitted())


@pytest.mark.long
@pytest.mark.slow
def test_jobs_that_end_before_the_work_are_said_and_resumed_from(
    survey, catalog, queue, describe, tmp_path, monkeypatch
):
    monkeypatch.setattr(slurm, "_LOST_SECONDS", 0.5)
    output, options = tmp_path / "out.fits", {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 1}
    with pytest.raises(InputError, match=r"all workers are gone.*--resume"):
        annotate(
            catalog,
            output,
            cluster=describe(JOB),
            progress=lambda done, total: queue.kill() if done else None,
            **options,
        )
    assert not output.exists()
    annotate(catalog, output, resume=True, **options)
    annotate(catalog, tmp_path / "undisturbed.fits", **options)
    assert output.read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()


def test_a_dry_run_prints_the_script(survey, catalog, describe, tmp_path, lsbg):
    text = """
    jobs = 3
    queue = "regular"
    account = "m1234"
    cores = 64
    processes = 16
    memory = "128GB"
    walltime = "02:00:00"
    job_extra_directives = ["--constraint=cpu", "--qos=regular"]
    job_script_prologue = ["module load python", "export XDG_CACHE_HOME=$SCRATCH"]
    """
    code, out, err = lsbg(
        "classify", catalog, tmp_path / "out.fits", "--cutouts", f"tiles:{survey.tiles}",
        "--cluster", describe(text), "--dry-run",
    )  # fmt: skip
    assert code == 0, err
    said = out.partition("jobs of Slurm: 3, each with this script\n")[2].splitlines()
    with dask_jobqueue.SLURMCluster(
        queue="regular",
        account="m1234",
        cores=64,
        processes=16,
        memory="128GB",
        walltime="02:00:00",
        job_extra_directives=["--constraint=cpu", "--qos=regular"],
        job_script_prologue=["module load python", "export XDG_CACHE_HOME=$SCRATCH"],
        scheduler_options={"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        *expected, command = cluster.job_script().splitlines()
        command = command.replace(cluster.scheduler_address, "tcp://SCHEDULER:PORT")
    assert said[: len(expected)] == expected
    assert said[len(expected)] == command.replace("dummy-name", "WORKER")
    assert "#SBATCH --constraint=cpu" in said and "module load python" in said
    assert not (tmp_path / "out.fits").exists()


def test_all_keys_are_those_of_dask_jobqueue():
    classes = (dask_jobqueue.slurm.SLURMJob, dask_jobqueue.core.Job)
    known = {name for each in classes for name in inspect.signature(each.__init__).parameters}
    ours = {"self", "scheduler", "name", "config_name", "base_class_kwargs", "security"}
    renamed = {"project", "extra", "env_extra", "header_skip", "job_extra"}
    assert set(slurm.JOB_KEYS) == known - ours - renamed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores = 1", "must specify how much cores and memory"),
        ("colour = 1", "unknown key colour; choose from account, cores"),
        ("cores = '1'", "cores must be a whole number"),
        ("cores = true", "cores must be a whole number"),
        ("job_extra_directives = '--qos'", "job_extra_directives must be a list of texts"),
        ("job_extra_directives = [1]", "job_extra_directives must be a list of texts"),
        ("scheduler_options = 1", "scheduler_options must be a table"),
        ("jobs = 0", "must be at least 1"),
        ("cores = 1\nmemory = '1GB'\nprocesses = 0", "must be at least 1"),
        ("cores = 1\nmemory = 'much'", "much"),
        ("wait = 'long'", "wait must be a time"),
        ("cores = ", "not a readable TOML file"),
        ("cores = 1\nmemory = '1GB'\nlog_directory = '/proc/no'", "log_directory /proc/no: No"),
        (None, "No such file"),
    ],
)
def test_a_wrong_description_is_one_line(describe, tmp_path, text, message):
    path = tmp_path / "gone.toml" if text is None else describe(text)
    with pytest.raises(InputError, match=f"^{path}: .*{message}") as caught:
        slurm.SlurmJobs(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sbatch", "message"),
    [
        ("#!/bin/sh\necho 'sbatch: error: Invalid account' >&2\nexit 1\n", "Invalid account"),
        ("#!/bin/sh\necho Hello\n", "job id"),
        (None, "sbatch"),
    ],
)
def test_a_refused_submission_is_one_line(queue, describe, monkeypatch, sbatch, message):
    if sbatch is None:
        monkeypatch.setenv("PATH", "")
    else:
        queue.command("sbatch", sbatch)
    jobs = slurm.SlurmJobs(describe(JOB))
    with pytest.raises(InputError, match=f"sbatch failed.*{message}") as caught, jobs.started():
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_queue_that_never_moves(queue, describe):
    queue.command("sbatch", SBATCH.replace('sh "$JOBS/script.$$"', "sleep 600"))
    jobs = slurm.SlurmJobs(describe('wait = "1 s"\n' + JOB))
    with pytest.raises(InputError, match="no worker came within 1 s; look at"), jobs.started():
        pass


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_jobs_end_with_the_command(survey, catalog, queue, describe, tmp_path, ending):
    command = [Path(sys.executable).with_name("lsbg"), "classify", catalog, tmp_path / "o.fits"]
    command += ["--cutouts", f"tiles:{survey.tiles}", "--cluster", describe(JOB), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process.stderr:
        deadline = time.monotonic() + 100
        while not any("Registered to" in log.read_text() for log in queue.folder.glob("log.*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(ending)
        assert process.wait(60) == 130
        assert process.stderr.read().startswith("lsbg: interrupted")
    assert not queue.running()


def test_only_one_place_to_work(survey, catalog, describe, tmp_path):
    with pytest.raises(InputError, match="exclude each other"):
        annotate(catalog, tmp_path / "o.fits", cutouts="tiles:x", workers=1, cluster=describe(JOB))


def test_a_dry_run_makes_no_folder(survey, catalog, describe, tmp_path, lsbg):
    logs = tmp_path / "deep" / "logs"
    text = f"cores = 1\nmemory = '1 GB'\nlog_directory = '{logs}'\njob_name = 'lsbg'"
    code, out, err = lsbg(
        "classify", catalog, tmp_path / "out.fits", "--cutouts", f"tiles:{survey.tiles}",
        "--cluster", describe(text), "--dry-run", "--adapt", "1", "4",
    )  # fmt: skip
    assert code == 0, err
    assert f"#SBATCH -o {logs}/lsbg-%J.out" in out and "jobs of Slurm: 1 to 4, each" in out
    assert not logs.parent.exists()


def test_adapt_needs_two_numbers_in_order(describe):
    with pytest.raises(InputError, match="--adapt 4 1: the first number must not be the larger"):
        slurm.SlurmJobs(describe(JOB), (4, 1))


@pytest.mark.long
@pytest.mark.slow
def test_a_signal_during_a_slow_submission_is_one_line(survey, catalog, queue, describe, tmp_path):
    """The job that Slurm is just accepting is cancelled too."""
    queue.command(
        "sbatch", SBATCH.replace("#!/bin/sh\n", '#!/bin/sh\ntouch "$JOBS/asked"\nsleep 3\n')
    )
    command = [Path(sys.executable).with_name("lsbg"), "classify", catalog, tmp_path / "o.fits"]
    command += ["--cutouts", f"tiles:{survey.tiles}", "--cluster", describe(JOB), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process.stderr:
        deadline = time.monotonic() + 100
        while not (queue.folder / "asked").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        message = process.stderr.read()
    assert message == "lsbg: interrupted; to finish, go on with --resume\n"
    assert not queue.running()
    assert not (tmp_path / "o.fits").exists()


@pytest.mark.long
@pytest.mark.slow
def test_jobs_that_end_are_replaced(survey, catalog, queue, describe, tmp_path, monkeypatch):
    """The first job is killed at the first results; another comes and does the rest."""
    monkeypatch.setitem(slurm._ADAPTING, "interval", "200 ms")
    killed = []

    def kill_the_first(done, total):
        if done and not killed:
            killed.extend(queue.running())
            queue.kill()
            for job in killed:
                (queue.folder / f"{job}.job").unlink()

    options = {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 1}
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1 s"}):
        annotate(
            catalog,
            tmp_path / "out.fits",
            cluster=describe(JOB),
            adapt=(1, 2),
            progress=kill_the_first,
            **options,
        )
    annotate(catalog, tmp_path / "threads.fits", **options)
    assert (tmp_path / "out.fits").read_bytes() == (tmp_path / "threads.fits").read_bytes()
    assert killed and len(queue.submitted()) > len(killed)
