"""What our ceci stages share: their kinds of files, and options that are those of a command."""

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from catalogs.errors import InputError, one_line
from catalogs.extras import not_installed
from pipeline.options import Option, check

try:
    import yaml
    from ceci import PipelineStage
    from ceci.config import StageParameter
    from ceci.file_types import DataFile
    from ceci.pipeline.templates import read_and_apply_template
except ImportError as missing:
    raise not_installed("these stages need ceci", "ceci") from missing


__all__ = [
    "CsvTable",
    "FitsCatalog",
    "Folder",
    "HatsFolder",
    "Hdf5Catalog",
    "LsbgStage",
    "ParquetCatalog",
    "PipelineStage",
    "parameters_of",
]


_OF_STAGES = ("name", "aliases", "config")
"""What the section of a stage may hold beside options."""

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "one text"}


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


class Hdf5Catalog(_Table):
    """A table in HDF5."""

    suffix = "hdf5"


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


class HatsFolder(Folder):
    """A HATS catalog, or a collection of one and what belongs to it."""

    suffix = "hats"


class LsbgStage(PipelineStage):
    """A stage whose options are those of a command.

    It runs in one process, which finds its own threads, worker processes or cluster.
    """

    parallel = False
    options: tuple[Option, ...] = ()

    @classmethod
    def generate_command(cls, inputs, config, outputs, aliases=None, instance_name=None) -> str:
        """Return the command of ceci's launcher, by a name that no file of the user's takes.

        ``python3 -m pipeline`` would run a file ``pipeline.py`` in the working folder.

        Parameters
        ----------
        inputs, config, outputs, aliases, instance_name
            As for `ceci.PipelineStage.generate_command`.

        Returns
        -------
        str

        Raises
        ------
        InputError
            If the command line of ceci has an option of this stage, which ceci would pass over.
        """
        _refuse_overrides(instance_name or cls.name)
        command = super().generate_command(inputs, config, outputs, aliases, instance_name)
        return command.replace("python3 -m pipeline ", "python3 -m lsbg_classifier.stages ", 1)

    def read_config(self, args: Mapping[str, Any]):
        """Read the options, and refuse values that ceci would turn into others.

        For ceci, the text "no" is true where an option is true or false, and 2.7 is 2.

        Parameters
        ----------
        args : mapping
            What the command line says; None: nothing.

        Raises
        ------
        InputError
            If a value is not of its option's kind, or one is missing; the message names the option.
        """
        for values in (self._section("global"), self._own_section(), args):
            _check_kinds(self.options, values)
        try:
            super().read_config(args)
        except (TypeError, ValueError) as error:
            raise InputError(one_line(error)) from error

    def run(self):
        """Do the work of the stage; errors name the files that the user knows."""
        try:
            self.work()
        except InputError as error:
            raise InputError(self._by_final_names(str(error))) from error

    def work(self):
        """Make the outputs, under the names that ceci gives until they are whole."""
        raise NotImplementedError

    def _by_final_names(self, text: str) -> str:
        """Put the names of outputs in place of those that they have until they are whole."""
        for tag in self.output_tags():
            text = text.replace(self.get_output(tag), self.get_output(tag, final_name=True))
        return text

    def values(self) -> dict[str, Any]:
        """Return the value of each option; refuse what is out of range or unknown.

        Options under ``global`` may be those of other stages: of them only the misspelt ones are
        refused.
        """
        names = [option.name for option in self.options]
        own = self._own_section()
        for key in {*self.config, *own} - {*names, *self.input_tags(), *self.output_tags()}:
            near = get_close_matches(key, names, n=1, cutoff=0.8)
            if near:
                raise InputError(f"there is no option {key}; did you mean {near[0]}?")
            if key in own and key not in _OF_STAGES:
                raise InputError(
                    f"{self.instance_name} has no option {key}; it has {', '.join(names)}"
                )
        values = {name: self.config[name] for name in names}
        check(self.options, values)
        return values

    def _own_section(self) -> dict[str, Any]:
        """Return what the file of options says of this stage alone."""
        return self._section(self.instance_name)

    def _section(self, name: str) -> dict[str, Any]:
        """Return a section of the file of options; empty where there is none."""
        config = self.get_input("config")
        if config is None:
            return {}
        if not isinstance(config, dict):
            config = yaml.safe_load(read_and_apply_template(config)) or {}
        section = config.get(name, {})
        if not isinstance(section, dict):
            raise InputError(f"{name} has no options in the file of options; leave it out there")
        return section


def _refuse_overrides(stage: str):
    """Refuse options of a stage on the command line of ceci, which gives them to no stage."""
    for word in sys.argv[1:]:
        if word.startswith(f"{stage}.") and "=" in word:
            raise InputError(
                f"{word}: ceci gives no stage what its own command line says; write it into the "
                f"file of options, under {stage}"
            )


def _check_kinds(options: Iterable[Option], values: Mapping[str, Any]):
    for option in options:
        value = values.get(option.name)
        if value is not None and not _is_of_kind(option.kind, value):
            wanted = _KINDS[option.kind]
            raise InputError(f"{option.name} must be {wanted}, not {value!r}")


def _is_of_kind(kind: type, value: Any) -> bool:
    """Tell whether a value is of a kind; a text may be a number, such as YAML's 1e-3."""
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if isinstance(value, list | dict):
        return False
    try:
        number = kind(value)
    except ValueError:
        return False
    return kind is str or not isinstance(value, float) or number == value


def parameters_of(options: Iterable[Option]) -> dict[str, StageParameter]:
    """Give options to ceci."""
    return {
        option.name: StageParameter(
            option.kind, option.default, required=option.required, msg=option.help
        )
        for option in options
    }
