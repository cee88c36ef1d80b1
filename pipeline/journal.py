"""What is done: an append-only log that a killed job resumes from."""

import fcntl
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np

from catalogs.columns import DEFAULT_KEYS, columns_of
from catalogs.errors import InputError
from catalogs.output import naming

VERSION = 2
"""Of the files of a journal; another version is refused."""

PARTS_LOG = "parts.log"
"""Name of the file that says which files of an output in a folder are written."""

_HEADER = struct.Struct("<4sQI")
_MAGIC = b"LSBG"


def record_dtype(keys: Collection[str] = DEFAULT_KEYS) -> np.dtype:
    """Return the type of one row's results: ``row``, and a field for each output column.

    Parameters
    ----------
    keys : collection of str
        Which of `catalogs.columns.OUTPUT_COLUMNS`.
    """
    return np.dtype([("row", "<i8"), *((c.key, f"<{c.dtype}") for c in columns_of(keys))])


class Journal:
    """Results of one job, in a folder beside its output until that is whole.

    The folder holds ``job.json``, which says what the job is, and ``results.log``, to which each
    finished unit of work is appended with a checksum. A record cut short by a crash is dropped.

    Parameters
    ----------
    folder : Path
    identity : mapping
        Everything that decides the results, as JSON values: input, weights, source. A journal of
        another identity is refused.
    dtype : data type
        Of the results of a row; see `record_dtype`.
    resume : bool
        Whether an unfinished journal may be continued.
    words : mapping of str to str, optional
        What to call the keys of `identity` in a message.

    Raises
    ------
    InputError
        If there is an unfinished journal and `resume` is false, if it belongs to another job or
        was written by another version of this software, or if another process is writing it.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, object],
        dtype: np.dtype,
        *,
        resume: bool,
        words: Mapping[str, str] | None = None,
    ):
        self.folder, self._dtype = folder, np.dtype(dtype)
        started = folder / "job.json"
        folder.mkdir(exist_ok=True)
        self._lock = _locked(folder)
        try:
            refuse_unfinished(folder, resume=resume)
            if started.exists():
                _compare(started, identity, self._dtype, words or {})
            else:
                _write_json(started, _contents(identity, self._dtype))
            self._log = open(folder / "results.log", "a+b")
        except BaseException:
            self._lock.close()
            if not started.exists():
                _delete(folder)
            raise
        self._log.truncate(self._valid_length())

    def identity(self) -> dict:
        """Return the identity of the job as it was first started."""
        return _read_json(self.folder / "job.json")["job"]

    def append(self, records: np.ndarray):
        """Add the results of some rows: an array of the journal's data type."""
        with naming(self._log.name):
            self._log.write(_record_bytes(np.asarray(records, self._dtype)))
            self._log.flush()

    def retain(self, wanted: Callable[[np.ndarray], np.ndarray]):
        """Forget the results of all rows but those that are wanted.

        Parameters
        ----------
        wanted : callable
            Given the numbers of some rows, tells for each whether its result stays: bool.
        """
        partial = self.folder / "results.partial"
        with naming(partial), open(partial, "wb") as log:
            for records in self.results():
                kept = records[wanted(records["row"])]
                if len(kept):
                    log.write(_record_bytes(kept))
        self._log.close()
        os.replace(partial, self.folder / "results.log")
        self._log = open(self.folder / "results.log", "a+b")

    def results(self) -> Iterator[np.ndarray]:
        """Yield the recorded units of work as arrays of the journal's data type."""
        with open(self.folder / "results.log", "rb") as log:
            while (records := _read_record(log, self._dtype)) is not None:
                yield records

    def is_empty(self) -> bool:
        """Tell whether no results are recorded, and no file of the output is written."""
        parts = self.folder / PARTS_LOG
        written = parts.exists() and parts.stat().st_size > 0
        return not written and next(self.results(), None) is None

    def close(self):
        """Let go of the files; the journal stays for a resume."""
        with suppress(OSError):  # only what `append` has failed to write
            self._log.close()
        self._lock.close()

    def abandon(self):
        """Let go of the files after a failure; a journal without results is deleted."""
        empty = self.is_empty()
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
        while _read_record(self._log, self._dtype) is not None:
            end = self._log.tell()
        return end


def read_identity(started: Path) -> dict | None:
    """Return the identity that a ``job.json`` holds; None if it is of another version.

    Parameters
    ----------
    started : Path

    Raises
    ------
    InputError
        If it is damaged.
    """
    stored = _read_json(started)
    identity = stored.get("job")
    return identity if stored.get("version") == VERSION and isinstance(identity, dict) else None


def _record_bytes(records: np.ndarray) -> bytes:
    payload = records.tobytes()
    return _HEADER.pack(_MAGIC, len(records), zlib.crc32(payload)) + payload


def refuse_unfinished(folder: Path, *, resume: bool):
    """Refuse to start a run again that is unfinished.

    Parameters
    ----------
    folder : Path
        Of its journal.
    resume : bool
        Whether it may be continued.

    Raises
    ------
    InputError
        If there is a journal and it may not.
    """
    if (folder / "job.json").exists() and not resume:
        raise InputError(
            f"{folder}: holds an unfinished run; add --resume to continue it, or delete the folder "
            "to start again"
        )


def _read_record(log: IO[bytes], dtype: np.dtype) -> np.ndarray | None:
    """Read the next record, or None at the end or where the log is damaged."""
    header = log.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, count, checksum = _HEADER.unpack(header)
    remaining = os.fstat(log.fileno()).st_size - log.tell()
    if magic != _MAGIC or count * dtype.itemsize > remaining:
        return None
    payload = log.read(count * dtype.itemsize)
    return np.frombuffer(payload, dtype) if zlib.crc32(payload) == checksum else None


def _delete(folder: Path):
    """Delete what a journal wrote; other files in the folder, and then the folder, stay."""
    for name in ("output", "drafts"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("results.log", "results.partial", PARTS_LOG, "job.json", "job.partial", "lock"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _locked(folder: Path) -> IO[str]:
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


def _contents(identity: Mapping[str, object], dtype: np.dtype) -> dict[str, object]:
    """Return what ``job.json`` holds."""
    record = [[name, str(dtype[name].str)] for name in dtype.names or ()]
    return {"version": VERSION, "record": record, "job": dict(identity)}


def _compare(path: Path, identity: Mapping[str, object], dtype: np.dtype, words: Mapping[str, str]):
    """Refuse a journal of another version or of another job."""
    stored, contents = _read_json(path), _contents(identity, dtype)
    stored_job = stored.get("job")
    if stored.get("version") != VERSION or not isinstance(stored_job, dict):
        raise InputError(
            f"{path.parent}: was written by another version of this software (its journals have "
            f"version {stored.get('version', 1)!r:.20}, not {VERSION}); continue the run with that "
            "version, or delete the folder to start again"
        )
    expected = dict(identity) | {"date": stored_job.get("date")}  # that of the first start counts
    changed = [key for key in expected if key not in stored_job or stored_job[key] != expected[key]]
    if not changed and stored.get("record") != contents["record"]:
        changed = ["set of columns"]
    if changed:
        names = ", ".join(words.get(key, key) for key in changed)
        raise InputError(
            f"{path.parent}: belongs to a run with another {names}; "
            "use the same options, or delete the folder to start again"
        )


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); delete the folder to start again") from error
    return content


def _write_json(path: Path, content: Mapping[str, object]):
    partial = path.with_suffix(".partial")
    with naming(path):
        partial.write_text(json.dumps(dict(content), indent=2))
        os.replace(partial, path)
