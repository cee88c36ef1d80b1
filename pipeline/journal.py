"""What is done: an append-only log that a killed job resumes from."""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.output import naming

_HEADER = struct.Struct("<4sQI")
_MAGIC = b"LSBG"
_RECORD = np.dtype([("row", "<i8"), ("probability", "<f4"), ("flags", "<i2")])


class Journal:
    """Results of one job, kept in a folder beside its output until that is whole.

    The folder holds ``job.json``, which says what the job is, and ``results.log``, to which each
    finished chunk is appended with a checksum. A record cut short by a crash is dropped.

    Parameters
    ----------
    folder : Path
    identity : mapping
        Everything that decides the results, as JSON values: input, weights, source. A journal of
        another identity is refused.
    resume : bool
        Whether an unfinished journal may be continued.

    Raises
    ------
    InputError
        If there is an unfinished journal and `resume` is false, if it belongs to another job, or
        if another process is writing it.
    """

    def __init__(self, folder: Path, identity: Mapping, *, resume: bool):
        self.folder = folder
        started = folder / "job.json"
        folder.mkdir(exist_ok=True)
        self._lock = _locked(folder)
        try:
            if started.exists() and not resume:
                raise InputError(
                    f"{folder}: an unfinished run is kept here; add --resume to go on with it, "
                    "or delete the folder to start again"
                )
            if started.exists():
                _compare(started, identity)
            else:
                _write_json(started, identity)
            self._log = open(folder / "results.log", "a+b")
        except BaseException:
            self._lock.close()
            if not started.exists():
                _delete(folder)
            raise
        self._log.truncate(self._valid_length())

    def identity(self) -> dict:
        """Return what the job was started with."""
        return _read_json(self.folder / "job.json")

    def append(self, rows: np.ndarray, probabilities: np.ndarray, flags: np.ndarray):
        """Add the results of some rows: int64, float32 (NaN where not scored) and int16 arrays."""
        records = np.empty(len(rows), _RECORD)
        records["row"], records["probability"], records["flags"] = rows, probabilities, flags
        payload = records.tobytes()
        with naming(self._log.name):
            self._log.write(_HEADER.pack(_MAGIC, len(rows), zlib.crc32(payload)) + payload)
            self._log.flush()

    def results(self) -> Iterator[np.ndarray]:
        """Yield the recorded chunks as structured arrays of ``row, probability, flags``."""
        with open(self.folder / "results.log", "rb") as log:
            while (records := _read_record(log)) is not None:
                yield records

    def close(self):
        """Let go of the files; the journal stays for a resume."""
        with suppress(OSError):  # only what `append` has failed to write
            self._log.close()
        self._lock.close()

    def abandon(self):
        """Let go of the files after a failure; a journal without results is deleted."""
        empty = next(self.results(), None) is None
        self.close()
        if empty:
            _delete(self.folder)

    def remove(self):
        """Delete the journal: its job is done."""
        self.close()
        _delete(self.folder)

    def _valid_length(self) -> int:
        self._log.seek(0)
        end = 0
        while _read_record(self._log) is not None:
            end = self._log.tell()
        return end


def _read_record(log) -> np.ndarray | None:
    """Read the next record, or None at the end or where the log is damaged."""
    header = log.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, count, checksum = _HEADER.unpack(header)
    remaining = os.fstat(log.fileno()).st_size - log.tell()
    if magic != _MAGIC or count * _RECORD.itemsize > remaining:
        return None
    payload = log.read(count * _RECORD.itemsize)
    return np.frombuffer(payload, _RECORD) if zlib.crc32(payload) == checksum else None


def _delete(folder):
    """Delete what a journal wrote; other things in the folder, and then the folder, stay."""
    for name in ("results.log", "job.json", "job.partial", "lock"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _locked(folder):
    """Hold a lock on the folder for as long as the returned file is open."""
    lock = open(folder / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InputError(f"{folder}: another run is writing this output; wait for it") from None
    except OSError as error:
        lock.close()
        raise InputError(
            f"{folder}: this file system cannot lock files ({error.strerror}); "
            "write the output to another"
        ) from error
    return lock


def _compare(path, identity):
    stored = _read_json(path)
    given = dict(identity) | {"date": stored.get("date")}  # that of the first start counts
    changed = [key for key in given if key not in stored or stored[key] != given[key]]
    if changed:
        raise InputError(
            f"{path.parent}: belongs to a run with another {', '.join(changed)}; "
            "use the same options, or delete the folder to start again"
        )


def _read_json(path) -> dict:
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); delete the folder to start again") from error
    return content


def _write_json(path, content):
    partial = path.with_suffix(".partial")
    with naming(path):
        partial.write_text(json.dumps(dict(content), indent=2))
        os.replace(partial, path)
