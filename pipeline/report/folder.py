"""The folder of a report: replaced only where it is one, and holds nothing of somebody else."""

import json
from collections.abc import Iterable
from pathlib import Path

from catalogs.errors import InputError
from catalogs.output import check_parent

_MARK = "report.json"
"""The file by which a report is known; it lists what else is in the folder."""


def check_folder(folder: Path, inputs: Iterable[Path], overwrite: bool):
    """Refuse a folder that cannot or must not be written.

    Parameters
    ----------
    folder : Path
    inputs : iterable of Path
        What the report is made of: none of it may be in the folder, or the folder in it.
    overwrite : bool
        Whether an earlier report may be replaced.

    Raises
    ------
    InputError
        If it exists and is no report, or holds other things, or its parent is missing.
    """
    there = folder.resolve()
    for path in inputs:
        here = path.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise InputError(f"{folder}: overlaps {path}; choose another folder")
    if folder.exists():
        _check_replaceable(folder, overwrite)
    check_parent(folder)


def _check_replaceable(folder: Path, overwrite: bool):
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder, which the report will be")
    names = {path.name for path in folder.iterdir()}
    if not names:
        return
    try:
        ours = {_MARK, *json.loads((folder / _MARK).read_text(encoding="utf-8"))["content"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: exists and is no report; choose another folder") from error
    if not overwrite:
        raise InputError(f"{folder}: exists already; add --overwrite to replace it")
    if strange := sorted(names - ours):
        raise InputError(f"{folder}: holds {strange[0]}, which is not of the report; move it first")


def mark_folder(folder: Path, about: dict):
    """Mark a folder as a report; called when all its other files are written.

    Parameters
    ----------
    folder : Path
    about : dict
        What the report shows, for JSON; written with the list of the folder's files.
    """
    content = sorted(path.name for path in folder.iterdir())
    text = json.dumps({"about": about, "content": content}, indent=2)
    (folder / _MARK).write_text(f"{text}\n", encoding="utf-8")
