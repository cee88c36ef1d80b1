"""Jobs of Slurm as workers, started through dask-jobqueue as a TOML file says."""

import logging
import signal
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
from dask.utils import parse_timedelta
from distributed import Client, Status

from catalogs.errors import InputError, one_line

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

    Raises
    ------
    InputError
        If the file is not readable, or says what is not known, or dask-jobqueue is missing.
    """

    def __init__(self, path: str | Path):
        self._path = path
        options = _read(path)
        self.count = options.pop("jobs", 1)
        # The dashboard must not take 8787, which another process may use.
        self._scheduler = {"dashboard_address": "127.0.0.1:0"} | options.pop(
            "scheduler_options", {}
        )
        self._wait = options.pop("wait", _WAIT)
        self._job = options
        self._check_numbers()
        self._example = self._make_example()

    def _check_numbers(self):
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
        script = self._example.job_script()
        return [f"jobs of Slurm: {self.count}, each with this script", *script.splitlines()]

    def _make_example(self):
        job_class = _jobqueue().slurm.SLURMJob
        try:
            return job_class("tcp://SCHEDULER:PORT", name="WORKER", **self._job)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self._path}: {str(error).partition(':')[0]}") from error
        except OSError as error:
            raise InputError(
                f"{self._path}: log_directory {error.filename}: {error.strerror}"
            ) from error

    @contextmanager
    def started(self) -> Iterator[Client]:
        """Submit the jobs and give a client once the first worker is there; end them afterwards.

        Raises
        ------
        InputError
            If Slurm refuses the jobs, or no worker appears in time.
        """
        with (
            dask.config.set({"distributed.scheduler.no-workers-timeout": f"{_LOST_SECONDS} s"}),
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
                for job in cluster.workers.values():
                    if job.job_id is None:
                        job.status = Status.failed  # otherwise the cluster cannot be closed
                raise InputError(f"{self._path}: sbatch failed ({_failure(error)})") from error
            yield client

    def _submit(self, cluster):
        """Submit the jobs as `cluster.scale` does, which says nothing where that fails."""
        for _ in range(self.count):
            cluster.worker_spec.update(cluster.new_worker_spec())
        cluster.sync(cluster._correct_state)

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
        raise InputError(
            "jobs of Slurm need dask-jobqueue: pip install lsbg-classifier[hpc]"
        ) from error
    if signal.getsignal(signal.SIGINT) is not on_interrupt:
        signal.signal(signal.SIGINT, on_interrupt)
    return dask_jobqueue


def _failure(error: Exception) -> str:
    """Say in one line what Slurm answered."""
    text = str(error)
    answer = text.partition("stderr:")[2].strip() or text
    return one_line(answer)
