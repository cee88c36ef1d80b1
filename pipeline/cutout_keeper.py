"""``--keep-cutouts``: the cutouts of a run, in a folder beside its output.

During the run they are in the folder of its journal, a file a unit of work, written before the
unit is journaled. They get their final place after the output has its own.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.cutouts.kept_files import (
    KeptManifest,
    is_kept,
    kept_folder,
    part_numbers,
    part_path,
    part_rows,
    write_index,
    write_part,
)
from pipeline.journal import Journal
from pipeline.results import Results
from pipeline.worker import UnitResult


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


class CutoutKeeper:
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
        if not self._journal.is_empty() and not self._staged.exists() and is_kept(self._final):
            if KeptManifest.read(self._final) == self._manifest:
                os.replace(self._final, self._staged)

    def compare(self, results: Results, scored: int):
        """Compare with the results of the journal: drop cutouts of units that it does not know.

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
            if not results.are_done(rows):
                part_path(self._staged, number).unlink()
            else:
                count, self._next = count + len(rows), number + 1
        if count != scored:
            raise InputError(
                f"{self._staged}: {count} cutouts, but {scored} are done; delete the folder "
                f"{self._journal.folder} to start again"
            )

    def add(self, result: UnitResult):
        """Keep the cutouts of one unit, those of its rows that were scored."""
        scored = result.scored
        if self._manifest is None or result.cutouts is None or not scored.any():
            return
        path, records = part_path(self._staged, self._next), result.records[scored]
        write_part(path, records["row"], result.positions[scored], records["flags"], result.cutouts)
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
