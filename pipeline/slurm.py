"""Jobs of Slurm as workers, started through dask-jobqueue as a TOML file says."""

import asyncio
import logging
import signal
import tomllib
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path

import dask
from dask.utils import parse_timedelta
from distributed import Client, Status

from catalogs.errors import InputError, one_line
from catalogs.extras import not_installed

JOB_KEYS = {
    "account": str,
    "cores": int,
    "death_timeout": int,
    "interface": str,
    "job_cpu": int,
    "job_directives_skip": list,
    "job_extra_directives": list,
    "job_mem": str,
    "job_name": str,
    "job_script_prologue": list,
    "local_directory": str,
    "log_directory": str,
    "memory": str,
    "nanny": bool,
    "processes": int,
    "protocol": str,
    "python": str,
    "queue": str,
    "shebang": str,
    "walltime": str,
    "worker_command": str,
    "worker_extra_args": list,
}
"""Keys of `dask_jobqueue.SLURMCluster` that describe a job, and their types."""

_OWN_KEYS = {"jobs": int, "wait": str, "scheduler_options": dict}
_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list of texts"}
_WAIT = "24 h"
_SBATCH_SECONDS = 20
"""How long a command that was interrupted waits for Slurm to accept a job, to cancel it."""

_LOGS = "/./././."
"""Stands for ``log_directory`` in a job that is only shown: a folder that is there already."""

_ADAPTING = {"interval": "5 s", "wait_count": 60, "target_duration": "500 ms"}
"""Jobs are asked for at once where units of work wait, and ended after five minutes without."""

_LOST_SECONDS = 60
"""Time without any worker after which a run is given up; ``--resume`` goes on."""


class SlurmJobs:
    """Jobs of Slurm that start workers.

    Parameters
    ----------
    path : path
        A TOML file with the keys ``jobs`` (how many; 1 if left out), ``wait`` (for the first
        worker; "24 h"), ``scheduler_options`` (a table), and those of `JOB_KEYS`, of which
        ``cores`` and ``memory`` must be there. What it does not say is looked for in Dask's own
        configuration (``jobqueue.slurm``).
    adapt : tuple of int, optional
        The least and the largest number of jobs, in place of ``jobs``; jobs that end are replaced.

    Raises
    ------
    InputError
        If the file is not readable, or says what is not known, or dask-jobqueue is missing.
    """

    def __init__(self, path: str | Path, adapt: tuple[int, int] | None = None):
        self._path, self._adapt = path, adapt
        options = _read(path)
        jobs = options.pop("jobs", 1)
        self.count = jobs if adapt is None else adapt[1]
        # The dashboard must not take 8787, which another process may use.
        self._scheduler = {"dashboard_address": "127.0.0.1:0"} | options.pop(
            "scheduler_options", {}
        )
        self._wait = options.pop("wait", _WAIT)
        self._job = options
        self._check_numbers()
        self._example = self._make_example()

    def _check_numbers(self):
        if self._adapt is not None and not 0 <= self._adapt[0] <= self._adapt[1] >= 1:
            least, most = self._adapt
            raise InputError(
                f"--adapt {least} {most}: the first number must not be the larger one or negative, "
                "and the second must be at least 1"
            )
        for key in ("cores", "processes", "job_cpu"):
            if self._job.get(key, 1) < 1 or self.count < 1:
                raise InputError(f"{self._path}: jobs, cores and processes must be at least 1")
        try:
            parse_timedelta(self._wait)
        except (ValueError, KeyError) as error:
            raise InputError(f"{self._path}: wait must be a time such as '2 h'") from error

    @property
    def processes(self) -> int:
        """How many worker processes there are once all jobs run."""
        return self.count * self._example.worker_processes

    def describe(self) -> list[str]:
        """Say what would be started, as lines of text.

        In place of the scheduler's address and the worker's name there are words.
        """
        script = self._example.job_script().replace(_LOGS, self._job.get("log_directory", ""))
        count = str(self.count) if self._adapt is None else f"{self._adapt[0]} to {self.count}"
        return [f"jobs of Slurm: {count}, each with this script", *script.splitlines()]

    def _make_example(self):
        """Make a job that is never submitted; no folder for its logs is made."""
        logs = self._job.get("log_directory")
        if logs is not None:
            _check_can_be_made(self._path, Path(logs))
        job_class, job = _jobqueue().slurm.SLURMJob, dict(self._job)
        if logs is not None:
            job["log_directory"] = _LOGS
        try:
            return job_class("tcp://SCHEDULER:PORT", name="WORKER", **job)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self._path}: {str(error).partition(':')[0]}") from error

    @contextmanager
    def started(self) -> Iterator[Client]:
        """Submit the jobs and give a client once the first worker is there; end them afterwards.

        Raises
        ------
        InputError
            If Slurm refuses the jobs, or no worker appears in time.
        """
        patience = f"{_LOST_SECONDS} s" if self._adapt is None else self._wait
        with (
            dask.config.set({"distributed.scheduler.no-workers-timeout": patience}),
            self._cluster() as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            try:
                self._submit(cluster)
                client.wait_for_workers(1, timeout=self._wait)
            except TimeoutError as error:
                raise InputError(
                    f"{self._path}: no worker came within {self._wait}; look at the jobs' logs "
                    "(slurm-*.out, or in log_directory), or wait for longer"
                ) from error
            except (RuntimeError, OSError, ValueError) as error:
                _give_up(cluster)
                raise InputError(f"{self._path}: sbatch failed ({_failure(error)})") from error
            except BaseException:
                _give_up(cluster)
                raise
            self._start_adapting(cluster)
            yield client

    def _submit(self, cluster):
        """Submit the jobs as `cluster.scale` does, which says nothing where that fails.

        When a signal ends the command meanwhile, a job that Slurm is just accepting is waited for,
        so that it can be cancelled.
        """
        count = self.count if self._adapt is None else max(1, self._adapt[0])
        for _ in range(count):
            cluster.worker_spec.update(cluster.new_worker_spec())
        submitting = asyncio.run_coroutine_threadsafe(
            cluster._correct_state_internal(), cluster.loop.asyncio_loop
        )
        try:
            submitting.result()
        except KeyboardInterrupt:
            with suppress(Exception, CancelledError):
                submitting.result(_SBATCH_SECONDS)
            submitting.cancel()
            raise

    def _start_adapting(self, cluster):
        """Let the number of jobs follow the work, if that is wanted."""
        if self._adapt is not None:
            least, most = self._adapt
            cluster.adapt(minimum_jobs=least, maximum_jobs=most, **_ADAPTING)

    def _cluster(self):
        try:
            return _jobqueue().SLURMCluster(
                **self._job, scheduler_options=self._scheduler, silence_logs=logging.CRITICAL
            )
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            reason = one_line(error)
            raise InputError(f"{self._path}: the scheduler cannot start ({reason})") from error


def file_keys() -> dict[str, str]:
    """Return each key that a file of jobs may have, and what its value must be."""
    kinds = JOB_KEYS | _OWN_KEYS
    return {key: _NAMES.get(kinds[key], "a table") for key in sorted(kinds)}


def _give_up(cluster):
    """Mark the jobs that were not accepted; otherwise the cluster cannot be closed."""
    for job in (*cluster.workers.values(), *cluster._created):
        if job.job_id is None:
            job.status = Status.failed


def _check_can_be_made(path: str | Path, folder: Path):
    """Refuse a folder for logs that cannot be made; none is left behind."""
    above = (folder, *folder.parents)
    missing = [one for one in above if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            made.rmdir()
    except OSError as error:
        raise InputError(f"{path}: log_directory {error.filename}: {error.strerror}") from error


def _read(path: str | Path) -> dict:
    """Return the keys and values of a file; refuse unknown keys and wrong types."""
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a TOML file of jobs") from error
    except ValueError as error:
        raise InputError(f"{path}: not a readable TOML file ({error})") from error
    kinds = JOB_KEYS | _OWN_KEYS
    for key, value in content.items():
        if key not in kinds:
            raise InputError(f"{path}: unknown key {key}; choose from {', '.join(file_keys())}")
        texts = kinds[key] is not list or all(isinstance(item, str) for item in value)
        if type(value) is not kinds[key] or not texts:
            raise InputError(f"{path}: {key} must be {file_keys()[key]}")
    return content


def _jobqueue():
    """Import dask-jobqueue, and undo its handler of Ctrl-C, which would end us with status 0."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ImportError as error:
        raise not_installed("jobs of Slurm need dask-jobqueue", "hpc") from error
    if signal.getsignal(signal.SIGINT) is not on_interrupt:
        signal.signal(signal.SIGINT, on_interrupt)
    return dask_jobqueue


def _failure(error: Exception) -> str:
    """Say in one line what Slurm answered."""
    text = str(error)
    answer = text.partition("stderr:")[2].strip() or text
    return one_line(answer)
