"""Which files of the output are written: a log beside the journal, from which a run goes on."""

import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from catalogs.output import naming
from catalogs.partitions import Partition
from pipeline.journal import PARTS_LOG
from pipeline.recorder import TRIED_AGAIN
from pipeline.summary import Summary

_WHOLE = "whole"
"""Noted when the output is about to get its name."""


@dataclass(frozen=True)
class PartRecord:
    """One file that is written.

    Attributes
    ----------
    number : int
        Of the file, from 0.
    size : int
        Bytes.
    rows, scored, above_threshold : int
        As of `pipeline.summary.Summary`.
    flags : dict of str to int
    failed : int
        Rows that a resumed run fetches again.
    """

    number: int
    size: int
    rows: int
    scored: int
    above_threshold: int
    flags: dict[str, int]
    failed: int

    @classmethod
    def of(cls, number: int, size: int, summary: Summary, flags: np.ndarray) -> "PartRecord":
        """Make the record of a file.

        Parameters
        ----------
        number, size : int
        summary : Summary
            Of its rows.
        flags : array of int16
            Of its selected rows.

        Returns
        -------
        PartRecord
        """
        failed = int(np.count_nonzero(flags & TRIED_AGAIN))
        counts = (summary.rows, summary.scored, summary.above_threshold)
        return cls(number, size, *counts, dict(summary.flags), failed)

    def count(self, summary: Summary):
        """Add the rows to a summary."""
        flags = summary.flags | self.flags
        summary.add_counts(
            Summary(summary.threshold, self.rows, self.scored, self.above_threshold, flags)
        )


class WrittenParts:
    """The files of the hidden output, as far as they are written.

    Parameters
    ----------
    journal : Path
        Folder of the journal, in which the log and the hidden output are.
    partitions : sequence of Partition
    output : Path
        The name that the hidden output will get.

    Attributes
    ----------
    folder : Path
        The hidden output.
    records : dict of int to PartRecord
        By the number of the file. Files with rows that are to be fetched again are missing after
        a restart: they will be written again.
    """

    def __init__(self, journal: Path, partitions: Sequence[Partition], output: Path):
        self.folder = journal / "output"
        self._log, self._partitions = journal / PARTS_LOG, partitions
        known, is_whole = self._read()
        if is_whole and not self.folder.exists() and self._all_in(output, known):
            output.rename(self.folder)  # the run was killed when its output had its name already
        self.folder.mkdir(exist_ok=True)
        self.records = {
            record.number: record
            for record in known
            if not record.failed and self._is_in(self.folder, record)
        }

    def add(self, record: PartRecord):
        """Note that a file is written."""
        self._append(asdict(record))
        self.records[record.number] = record

    def note_whole(self):
        """Note that all is written."""
        self._append({_WHOLE: True})

    def without_failures(self) -> list[int]:
        """Return the numbers of the files without rows that a resumed run fetches again."""
        return [number for number, record in self.records.items() if not record.failed]

    def _append(self, content: dict):
        text = json.dumps(content)
        with naming(self._log), open(self._log, "a") as log:
            log.write(f"{zlib.crc32(text.encode()):08x} {text}\n")

    def _read(self) -> tuple[list[PartRecord], bool]:
        """Read the log up to the first damaged line, and cut it there."""
        records: dict[int, PartRecord] = {}
        is_whole, valid = False, 0
        content = self._log.read_bytes() if self._log.exists() else b""
        for line in content.splitlines(keepends=True):
            entry = _entry(line)
            if entry is None:
                break
            valid += len(line)
            is_whole = _WHOLE in entry
            if not is_whole:
                record = PartRecord(**entry)
                records[record.number] = record
        if valid < len(content):
            with open(self._log, "r+b") as log:
                log.truncate(valid)
        return list(records.values()), is_whole

    def _all_in(self, folder: Path, records: Collection[PartRecord]) -> bool:
        return len(records) == len(self._partitions) and all(
            self._is_in(folder, record) for record in records
        )

    def _is_in(self, folder: Path, record: PartRecord) -> bool:
        """Tell whether a file is there, with the size that it was written with."""
        if not 0 <= record.number < len(self._partitions):
            return False
        path = folder / self._partitions[record.number].place
        return path.is_file() and path.stat().st_size == record.size


def _entry(line: bytes) -> dict | None:
    """Read a line of the log; None: it is damaged."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    entry = json.loads(text)
    return entry if isinstance(entry, dict) else None
