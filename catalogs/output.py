"""Writing of files that appear under their names only when they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogs.errors import InputError
from catalogs.urls import is_url

PARQUET_SUFFIXES = (".parquet", ".parq", ".pq")
"""Endings, in lower case, of the files in a folder that are parts of its table."""


def check_output(source: Path | str, output: Path | str, overwrite: bool):
    """Refuse an output that cannot or must not be written.

    Parameters
    ----------
    source : path or URL
        The input.
    output : path
        Where the result will be written.
    overwrite : bool
        Whether an output that exists may be replaced.

    Raises
    ------
    InputError
        If the output is the input or lies inside it, exists although `overwrite` is false, or its
        folder is missing or not writable, or it is named by a URL.
    """
    if is_url(output):
        raise InputError(f"{output}: the output must be a local file; copy it there afterwards")
    source, output = Path(source), Path(output)
    here, there = source.resolve(), output.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise InputError(f"{output}: is the input itself or overlaps it; choose another output")
    if source.exists() and output.exists() and os.path.samefile(source, output):
        raise InputError(f"{output}: is the input itself; choose another output")
    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists already; add --overwrite to replace it")
    if output.is_dir():
        _check_replaceable(source, output)
    check_parent(output)


def check_parent(output: Path):
    """Refuse an output, a file or a folder, whose own folder is missing or cannot be written."""
    if not output.parent.is_dir():
        raise InputError(f"{output}: its folder does not exist; make it first")
    if not os.access(output.parent, os.W_OK):
        raise InputError(f"{output}: its folder is not writable; choose another")


def _check_replaceable(source, output):
    """Refuse to replace a folder, unless by another, and one that holds tables."""
    if not source.is_dir():
        raise InputError(f"{output}: is a folder; name a file")
    parquet = (file.suffix.lower() in PARQUET_SUFFIXES for file in output.rglob("*"))
    names = {file.relative_to(output) for file in output.rglob("*")}
    if not any(parquet) and not all((source / name).exists() for name in names):
        raise InputError(f"{output}: holds other files than {source} and is not replaced")


def files_below(root: Path) -> Iterator[Path]:
    """Yield all files below a folder, following links; refuse links that lead nowhere or back."""

    def refuse(error):
        raise InputError(f"{error.filename}: {error.strerror}; the folder cannot be read")

    for place, names, files in os.walk(root, onerror=refuse, followlinks=True):
        folder = Path(place)
        for path in (folder / name for name in [*names, *files]):
            if not path.exists():
                raise InputError(f"{path}: a link to nothing; fix or remove it")
        back = {above.resolve() for above in (folder, *folder.parents)}
        for path in (folder / name for name in names):
            if path.resolve() in back:
                raise InputError(f"{path}: a link to a folder that it lies in; remove it")
        yield from (folder / name for name in files)


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Add the name of the file to an `OSError` without one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """Give a temporary path beside `output`; move it there at the end, or remove it on failure.

    Works for a file and for a folder.
    """
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    _remove(partial)
    try:
        with naming(output):
            yield partial
            put_in_place(partial, output)
    finally:
        _remove(partial)


def put_in_place(whole: Path, output: Path):
    """Give a file or folder that is whole its final name, once it is on the disk.

    Parameters
    ----------
    whole : Path
        On the same file system as the output.
    output : Path
        Replaced if it exists.
    """
    _sync(whole)
    if whole.is_dir():
        _remove(output)
    os.replace(whole, output)


def write_whole(path: Path, content: bytes | str, *, alone: bool = False):
    """Write a file that appears under its name only when it is whole.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    content : bytes or str
        Text is written as UTF-8.
    alone : bool
        No other process writes this file: what writes that were killed have left is removed.

    Raises
    ------
    OSError
        With the name of the file.
    """
    if alone:
        remove_partials(path)
    with written_whole(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_partials(output: Path):
    """Remove what runs that were killed in the final write have left beside an output.

    Only for the one that writes this output: another that is at work would lose its file.
    """
    for partial in output.parent.iterdir():
        beginning, _, end = partial.name.partition(f".{output.name}.")
        if not beginning and end.endswith(".partial") and end.removesuffix(".partial").isdigit():
            _remove(partial)


def _remove(path: Path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path):
    """Force files to the disk before they get their final name."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
