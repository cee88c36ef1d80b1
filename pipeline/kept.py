"""``--keep-cutouts``: the cutouts of a run, kept beside its output.

While the run goes on they are in the folder of its journal, a file a unit of work, written before
the unit is journaled. They get their final place after the output has its own.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier.cutouts.kept import (
    KeptCutouts,
    KeptManifest,
    is_kept,
    kept_folder,
    open_kept,
    part_numbers,
    part_path,
    part_rows,
    write_index,
    write_part,
)
from pipeline.journal import Journal
from pipeline.results import Results

__all__ = ["Keeper", "KeptCutouts", "check_kept", "kept_folder", "open_kept"]


def check_kept(output: Path, cutouts: str, *, keep: bool, overwrite: bool):
    """Refuse to keep cutouts where something else is, or to lose those that are read.

    Parameters
    ----------
    output : Path
    cutouts : str
        Where the run's images come from.
    keep : bool
        Whether the run keeps its own.
    overwrite : bool

    Raises
    ------
    InputError
        If the folder for them exists and must not be replaced.
    """
    folder = kept_folder(output)
    if is_kept(folder):
        if not keep and cutouts.startswith("kept:") and overwrite:
            theirs = kept_folder(Path(cutouts.removeprefix("kept:")).expanduser())
            if theirs.exists() and os.path.samefile(theirs, folder):
                raise InputError(
                    f"{folder}: would be removed with the output it belongs to, but is read here; "
                    "add --keep-cutouts, or choose another output"
                )
        if not overwrite:
            raise InputError(
                f"{folder}: cutouts of an earlier output; add --overwrite to replace them"
            )
    elif keep and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder}: no kept cutouts, so not replaced; choose another output")


class Keeper:
    """Keeps the cutouts of one run, if it is asked to.

    Parameters
    ----------
    journal : Journal
        Of the run, held open by it.
    output : Path
        What the run will write.
    manifest : KeptManifest or None
        What the cutouts are; None: none are kept.
    """

    def __init__(self, journal: Journal, output: Path, manifest: KeptManifest | None):
        self._journal, self._manifest = journal, manifest
        self._staged, self._final = journal.folder / "cutouts", kept_folder(output)
        self._replaced = journal.folder / "replaced cutouts"
        self._next = 0
        shutil.rmtree(self._replaced, ignore_errors=True)
        if manifest is not None:
            self._take_back()
            self._staged.mkdir(exist_ok=True)
            for partial in self._staged.glob("*.partial"):
                partial.unlink()
            manifest.write(self._staged)

    def _take_back(self):
        """Take the cutouts back that this very run has put in place before it was killed."""
        resumed = next(self._journal.results(), None) is not None
        if resumed and not self._staged.exists() and is_kept(self._final):
            if KeptManifest.read(self._final) == self._manifest:
                os.replace(self._final, self._staged)

    def go_on(self, results: Results, scored: int):
        """Compare with what the journal gave: drop cutouts of units that it does not know.

        Parameters
        ----------
        results : Results
        scored : int
            Rows that the journal gave a probability.

        Raises
        ------
        InputError
            If cutouts are missing or damaged.
        """
        if self._manifest is None:
            return
        count = 0
        for number in part_numbers(self._staged):
            rows = part_rows(part_path(self._staged, number))
            if not results.has_rows(rows) or len(results.missing(rows)):
                part_path(self._staged, number).unlink()
            else:
                count, self._next = count + len(rows), number + 1
        if count != scored:
            raise InputError(
                f"{self._staged}: {count} cutouts, but {scored} are done; delete the folder "
                f"{self._journal.folder} to start again"
            )

    def add(self, rows: np.ndarray, positions: np.ndarray, flags: np.ndarray, cutouts):
        """Keep the cutouts of one unit, those of its rows that were scored."""
        kept = (flags & NOT_SCORED) == 0
        if self._manifest is None or not kept.any():
            return
        path = part_path(self._staged, self._next)
        write_part(path, rows[kept], positions[kept], flags[kept], cutouts)
        self._next += 1

    @contextmanager
    def published(self) -> Iterator[None]:
        """Put the cutouts in place after the output, which is written meanwhile.

        Those of an earlier output go first, so that no output ever has another's beside it.
        """
        if self._manifest is not None:
            write_index(self._staged)
        if is_kept(self._final):
            os.replace(self._final, self._replaced)
            shutil.rmtree(self._replaced)
        yield
        if self._manifest is not None:
            os.replace(self._staged, self._final)

    def abandon(self):
        """Remove the cutouts of a run that failed, if its journal is gone too."""
        if not (self._journal.folder / "job.json").exists():
            shutil.rmtree(self._staged, ignore_errors=True)
            with suppress(OSError):
                self._journal.folder.rmdir()
