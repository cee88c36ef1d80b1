"""Arrays in unnamed files on disk, which vanish with the arrays: memory stays flat."""

import os
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

import numpy as np

from catalogs.output import naming


def scratch_array(shape: tuple[int, ...], dtype, folder: Path | None) -> np.ndarray:
    """Make an array of zeros in an unnamed file in `folder`; it vanishes with the array.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    folder : Path or None
        None: the folder for temporary files.

    Returns
    -------
    array
        Mapped from the file; in memory if it has no elements.

    Raises
    ------
    OSError
        If the folder cannot be written, or its disk is full.
    """
    if 0 in shape:
        return np.empty(shape, dtype)
    with naming(folder or gettempdir()), TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # A full disk must be an error here: later, at a page of the map, it is a crash.
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, "w+", shape=shape)


class Spool:
    """An array that grows in an unnamed file in a folder, and vanishes with the array.

    Parameters
    ----------
    dtype : data type
    folder : Path or None
        None: the system's temporary one.
    width : int, optional
        Values a row; left out, the array has one dimension.
    """

    def __init__(self, dtype, folder: Path | None, width: int | None = None):
        self._dtype, self._shape = np.dtype(dtype), () if width is None else (width,)
        self._folder, self._length = folder or gettempdir(), 0
        with naming(self._folder):
            self._file = TemporaryFile(dir=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with naming(self._folder):
            self._file.close()

    def append(self, values: np.ndarray):
        """Add rows at the end."""
        with naming(self._folder):
            self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self._length += len(values)

    def array(self) -> np.ndarray:
        """Return all that was added, read-only, from disk."""
        with naming(self._folder):
            self._file.flush()
        shape = (self._length, *self._shape)
        if not self._length:
            return np.empty(shape, self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=shape)
