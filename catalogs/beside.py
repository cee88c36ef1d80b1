"""Names of files written beside a catalog, and the replacement of a catalog by its output."""

import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from catalogs.errors import InputError
from catalogs.packed import PACKED_ENDINGS
from catalogs.urls import is_url

SCORED, CHOSEN = "_lsbg", "_only"
"""Added to the stem of names: of an output that is not named, and of the rows that are chosen."""


def default_output(source: Path | str) -> Path:
    """Return the output where none is named: of ``cat.fits.gz`` it is ``cat_lsbg.fits.gz``.

    It lies beside the input; of what a URL names, in the working folder.

    Parameters
    ----------
    source : path or URL
    """
    if is_url(source):
        source = PurePosixPath(unquote(urlsplit(str(source)).path)).name or "catalog"
    return with_suffix(Path(source), SCORED)


def chosen_output(output: Path) -> Path:
    """Return where the rows that are chosen are written: ``out.fits``, ``out_only.fits``."""
    return with_suffix(Path(output), CHOSEN)


def check_in_place(source: Path | str) -> Path:
    """Return the file that is replaced, where a catalog is written in its own place.

    Parameters
    ----------
    source : path or URL
        A link stays a link: the file that it leads to is replaced.

    Raises
    ------
    InputError
        If it is a URL, or a folder, which cannot be replaced in one step.
    """
    if is_url(source):
        raise InputError(f"{source}: --in-place is for local files; name an output")
    path = Path(source)
    if path.is_dir():
        raise InputError(
            f"{path}: --in-place is for single files, which are replaced in one step; a folder "
            "would be incomplete if the run was stopped, so name an output"
        )
    path = path.resolve()
    if path.exists() and not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: its folder is not writable, so it cannot be replaced")
    return path


def with_suffix(path: Path, added: str) -> Path:
    """Add to the stem of a name; endings of packed files count to the ending.

    Parameters
    ----------
    path : Path
    added : str

    Returns
    -------
    Path
    """
    packed = path.suffix.lower() in PACKED_ENDINGS
    ending = path.suffix if not packed else f"{path.with_suffix('').suffix}{path.suffix}"
    return path.with_name(f"{path.name[: len(path.name) - len(ending)]}{added}{ending}")
