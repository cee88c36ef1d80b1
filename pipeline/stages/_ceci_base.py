"""What our ceci stages share: their kinds of files, and options that are those of a command."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from catalogs.errors import InputError
from pipeline.options import Option, check

try:
    from ceci import PipelineStage
    from ceci.config import StageParameter
    from ceci.file_types import DataFile
except ImportError as missing:
    raise InputError(
        "these stages need ceci, which is not installed here: pip install lsbg-classifier[ceci]"
    ) from missing


__all__ = [
    "CsvTable",
    "FitsCatalog",
    "Folder",
    "LsbgStage",
    "ParquetCatalog",
    "PipelineStage",
    "parameters_of",
]


class _Table(DataFile):
    """A table, opened as a binary file, which astropy and pyarrow take."""

    @classmethod
    def open(cls, path, mode, **_):
        """Open for reading or writing bytes."""
        return open(path, f"{mode}b")


class FitsCatalog(_Table):
    """A FITS table, also FITS_LDAC; ceci's own file type needs fitsio."""

    suffix = "fits"


class ParquetCatalog(_Table):
    """A Parquet file, or a folder of them; ceci's own file type cannot be written."""

    suffix = "parquet"


class CsvTable(_Table):
    """Comma-separated values under a header line."""

    suffix = "csv"


class Folder(DataFile):
    """A folder of whatever a stage makes."""

    @classmethod
    def open(cls, path, mode, **_):
        """Return the path, as ceci asks for a file.

        Parameters
        ----------
        path : path
        mode : str
            ``w``: the folder is made, with those above it; any other: it must exist.
        **_
            Arguments for other types of file, which are ignored.

        Returns
        -------
        Path

        Raises
        ------
        NotADirectoryError
            If a folder that must be read is none.
        """
        path = Path(path)
        if mode == "w":
            path.mkdir(parents=True, exist_ok=True)
        elif not path.is_dir():
            raise NotADirectoryError(path)
        return path

    def close(self):
        """Do nothing: a folder is never open."""


class LsbgStage(PipelineStage):
    """A stage whose options are those of a command.

    It runs in one process, which finds its own threads, worker processes or cluster.
    """

    parallel = False
    options: tuple[Option, ...] = ()

    @classmethod
    def generate_command(cls, *arguments, **options) -> str:
        """Return the command of ceci's launcher, by a name that no file of the user's takes.

        ``python3 -m pipeline`` would run a file ``pipeline.py`` in the working folder.

        Parameters
        ----------
        *arguments, **options
            As for `ceci.PipelineStage.generate_command`.

        Returns
        -------
        str
        """
        command = super().generate_command(*arguments, **options)
        return command.replace("python3 -m pipeline ", "python3 -m lsbg_classifier.stages ", 1)

    def values(self) -> dict[str, Any]:
        """Return the value of each option; refuse what is out of range or misspelt."""
        names = [option.name for option in self.options]
        known = {*names, *self.input_tags(), *self.output_tags()}
        for key in self.config:
            near = get_close_matches(key, names, n=1, cutoff=0.8)
            if near and key not in known:
                raise InputError(f"there is no option {key}; did you mean {near[0]}?")
        values = {name: self.config[name] for name in names}
        check(self.options, values)
        return values


def parameters_of(options: Iterable[Option]) -> dict[str, StageParameter]:
    """Give options to ceci."""
    return {
        option.name: StageParameter(
            option.kind, option.default, required=option.required, msg=option.help
        )
        for option in options
    }
