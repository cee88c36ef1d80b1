"""Work on tiles, one unit a tile, that a killed job resumes from."""

import datetime
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from catalogs.errors import InputError
from catalogs.software import software_name
from lsbg_classifier.own_tables import read_table, write_table
from pipeline.dispatch import connect, in_order_of_completion
from pipeline.job import journal_of
from pipeline.journal import Journal

_log = logging.getLogger(__name__)

_RECORD = np.dtype([("unit", "<i8")])
"""What the journal says of a finished unit."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Unit:
    """One unit of work: a tile, and which of several injections into it.

    Attributes
    ----------
    number : int
        Its place in the output.
    tile : str
        Name of the tile.
    repeat : int
    """

    number: int
    tile: str
    repeat: int = 0


@dataclass(frozen=True)
class UnitResult:
    """What a unit gives: tables by name, and lines for the log."""

    tables: Mapping[str, Table]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Where:
    """Where the work is done; see `pipeline.dispatch.connect`.

    Attributes
    ----------
    scheduler : str, optional
        Address of a running Dask scheduler.
    workers : int, optional
        Without a scheduler: worker processes to start instead of threads.
    """

    scheduler: str | None = None
    workers: int | None = None

    def __post_init__(self):
        """Refuse what makes no sense."""
        if self.scheduler is not None and self.workers is not None:
            raise InputError("a scheduler and workers exclude each other; choose one")
        if self.workers is not None and self.workers < 1:
            raise InputError("workers must be at least 1")


def identity_of(**parts: object) -> dict:
    """Return what decides the results of a job, with the software and the date."""
    return {
        **parts,
        "software": software_name(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


class TileJob:
    """The units of a job, whose results are kept on disk until its output is written.

    Parameters
    ----------
    output : Path
        The unfinished job is kept beside it, in a folder with ``.journal`` at the end.
    identity : mapping
        As of `pipeline.journal.Journal`.
    units : sequence of Unit
    resume : bool
        Continue an unfinished job.

    Raises
    ------
    InputError
        As of `Journal`.
    """

    def __init__(self, output: Path, identity: Mapping, units: Iterable[Unit], *, resume: bool):
        self._units = list(units)
        self._output = output
        self._journal = Journal(journal_of(output), identity, _RECORD, resume=resume)
        self.folder = self._journal.folder
        finished = [record["unit"] for record in self._journal.results()]
        self._done = {int(number) for numbers in finished for number in numbers}

    def run(self, function: Callable, work: object, where: Where, progress: Progress | None = None):
        """Do the units that are not done yet.

        Parameters
        ----------
        function : callable
            Called as ``function(unit, work)`` on a worker; returns a `UnitResult`.
        work : object
            What all units have in common; it travels to the workers.
        where : Where
        progress : callable, optional
            Called with (units done, units in all).
        """
        left = [unit for unit in self._units if unit.number not in self._done]
        if progress is not None:
            progress(len(self._done), len(self._units))
        if not left:
            return
        with connect(where.scheduler, where.workers) as client:
            calls = ((None, (function, unit, work)) for unit in left)
            for number, result in in_order_of_completion(client, _numbered, calls):
                self._keep(number, result)
                if progress is not None:
                    progress(len(self._done), len(self._units))

    def _keep(self, number: int, result: UnitResult):
        for line in result.lines:
            _log.info("%s", line)
        for name, table in result.tables.items():
            write_table(table, self._part(name, number), name.upper(), {})
        self._journal.append(np.array([(number,)], _RECORD))
        self._done.add(number)

    def _part(self, name: str, number: int) -> Path:
        return self.folder / f"{name}-{number:06d}.fits"

    def joined(self, name: str) -> Table:
        """Return one of the units' tables, all units in order."""
        parts = [read_table(self._part(name, unit.number)) for unit in self._units]
        filled = [part for part in parts if len(part)] or parts[:1]
        return vstack(filled, join_type="outer", metadata_conflicts="silent")

    def finish(self):
        """Delete what was kept: the output is written."""
        for path in self.folder.glob("*-[0-9]*.fits"):
            path.unlink()
        self._journal.remove()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        with suppress(OSError):
            if kind is None or self._done or _holds_files(self._output):
                self._journal.close()
            else:
                self._journal.abandon()


def _holds_files(output: Path) -> bool:
    return any(path.is_file() for path in output.rglob("*"))


def _numbered(function: Callable, unit: Unit, work: object) -> tuple[int, UnitResult]:
    return unit.number, function(unit, work)
