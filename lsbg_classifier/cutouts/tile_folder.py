"""Folders of coadd tiles, local or remote, and the bytes of their files."""

import bz2
import gzip
import math
import mmap
import os
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.fits_headers import NoFitsError
from catalogs.remote import RemoteFile, in_threads, list_folder, look_up
from catalogs.urls import is_url, masked

_MOST_UNPACKED = 1 << 31
"""Bytes of a file packed as a whole: more could fill the memory."""

_PIECE = 1 << 22

_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
"""How files begin that are packed as a whole."""

_MOST_DEPTH = 10
"""Folders within folders that are looked into on a server, which could go round in circles."""


class LocalFile:
    """A file on disk as one memory map: what is not used of it is not read."""

    def __init__(self, path: Path):
        self._path = path
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with suppress(AttributeError, OSError):  # where the system has no pages of other sizes
            mapped.madvise(mmap.MADV_HUGEPAGE)  # rows lie far apart: fewer reads, and fewer pages
        self._bytes = np.frombuffer(mapped, np.uint8)
        self.size = len(self._bytes)

    def array(self, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return part of the file as an array, read only, which the file's pages back.

        Parameters
        ----------
        dtype : numpy.dtype
        offset : int
            Byte that the array begins at.
        shape : tuple of int

        Returns
        -------
        array

        Raises
        ------
        ValueError
            If the file ends before the array, or a size or the offset is negative.
        """
        return self._bytes[_part(dtype, offset, shape)].view(dtype).reshape(shape)

    def open(self):
        """Return what astropy opens."""
        return self._path


class UnpackedFile:
    """A file that is packed as a whole, by gzip or bzip2, unpacked in memory.

    Parameters
    ----------
    file : file opened for reading bytes

    Raises
    ------
    ValueError
        If it is larger than 2 GiB when unpacked.
    """

    def __init__(self, file):
        opened = gzip.open(file) if _first_bytes(file)[:2] == _GZIP else bz2.open(file)
        content = bytearray()
        while piece := opened.read(_PIECE):
            content += piece
            if len(content) > _MOST_UNPACKED:
                raise ValueError("larger than 2 GiB when unpacked; unpack it on disk")
        self._content = content
        self.size = len(content)

    def array(self, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return part of the unpacked file as an array; see `LocalFile.array`."""
        unpacked = np.frombuffer(self._content, np.uint8)
        return unpacked[_part(dtype, offset, shape)].view(dtype).reshape(shape)

    def open(self) -> BytesIO:
        """Return what astropy opens."""
        return BytesIO(self._content)


def _is_packed(file, name: str) -> bool:
    """Tell from its first bytes whether a file is packed as a whole; names may be wrong.

    Raises
    ------
    NoFitsError
        If its name says that it is packed, and it is neither that nor a FITS file.
    """
    first = _first_bytes(file)
    is_packed = first[:2] == _GZIP or first == _BZIP2
    if _ends_packed(name) and not is_packed and first != b"SIM":
        kind = "gzip" if name.lower().endswith(".gz") else "bzip2"
        raise NoFitsError(f"it does not begin as a {kind} file")
    return is_packed


def _ends_packed(name: str) -> bool:
    """Tell whether a name says that a file is packed as a whole."""
    return name.lower().endswith((".gz", ".bz2"))


def _first_bytes(file) -> bytes:
    """Return the first three bytes of a file opened for reading, which is left at its beginning."""
    first = file.read(3)
    file.seek(0)
    return first


class FetchedFile:
    """A remote file, of which only what is asked for is fetched."""

    def __init__(self, file: RemoteFile):
        self._file = file
        self.size = file.size

    def array(self, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        """Fetch part of the file as an array; see `LocalFile.array`.

        Raises EOFError, not ValueError, where the file ends before the array.
        """
        part = _part(dtype, offset, shape)
        return np.frombuffer(self._file.read(part.start, part.stop), dtype).reshape(shape)

    def open(self):
        """Return what astropy opens."""
        return self._file.open()


def _part(dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> slice:
    """Return which bytes an array takes; headers may be wrong, so numbers are looked at."""
    if min(offset, *shape) < 0:
        raise ValueError("a negative size or offset")
    return slice(offset, offset + math.prod(shape) * np.dtype(dtype).itemsize)


class LocalFolder:
    """A folder of tiles on disk.

    Attributes
    ----------
    spec : str
        Names it in any process.
    """

    def __init__(self, path: Path):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder of tiles")
        self.spec, self._path = str(path.absolute()), path

    def __str__(self):
        return str(self._path)

    def names(self) -> list[str]:
        """Return the paths of all files below the folder, with ``/``; none that begin with a dot.

        Links to folders are followed, but not back into a folder that they lie in.
        """
        return list(self._walk(self._path, "", (self._path.resolve(),)))

    def _walk(self, folder: Path, prefix: str, above: tuple[Path, ...]):
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in visible:
            if not entry.is_dir():
                yield prefix + entry.name
            elif (below := Path(entry.path).resolve()) not in above:
                yield from self._walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, below))

    def stamps(self, names: Iterable[str]) -> dict[str, list]:
        """Return what changes when a file does, by name; nothing for what is no file.

        Links that lead nowhere and pipes are no files.
        """
        paths = {name: self._path / name for name in names}
        status = {name: path.stat() for name, path in paths.items() if path.is_file()}
        return {name: [each.st_size, each.st_mtime_ns] for name, each in status.items()}

    def each(self, function: Callable, names: Iterable[str]) -> list:
        """Apply a function that reads one file to many files.

        Parameters
        ----------
        function : callable
            Takes the name of a file.
        names : iterable of str

        Returns
        -------
        list
            What the function returned, in the order of the names.
        """
        return [function(name) for name in names]

    @contextmanager
    def opened(self, name: str):
        """Give a file, open for reading bytes; unpacked if it is packed as a whole."""
        with open(self._path / name, "rb") as file:
            yield UnpackedFile(file).open() if _is_packed(file, name) else file

    def file(self, name: str) -> Path | UnpackedFile:
        """Return a file as `sections.ImageFile` takes it."""
        with open(self._path / name, "rb") as file:
            return UnpackedFile(file) if _is_packed(file, name) else self._path / name

    def where(self, name: str) -> str:
        """Name a file in messages."""
        return str(self._path / name)

    def beside(self, name: str) -> Path | None:
        """Return the path of a file of ours beside the tiles; None where none can be written."""
        return self._path / name

    def identity(self) -> str:
        """Return a text that no other folder has."""
        return str(self._path.resolve())


class RemoteFolder:
    """A remote folder of tiles, named by a URL; as `LocalFolder`."""

    def __init__(self, url: str):
        self.spec, self._urls = url, list_folder(url, depth=_MOST_DEPTH)
        self._files: dict[str, RemoteFile] = {}

    def __str__(self):
        return masked(self.spec)

    def names(self) -> list[str]:
        """Return the paths of all files below the folder, with ``/``."""
        return list(self._urls)

    def stamps(self, names: Iterable[str]) -> dict[str, list]:
        """Return what changes when a file does, by name, as far as the server tells."""
        names = list(names)
        files = look_up(self._urls[name] for name in names)
        self._files.update(zip(names, files, strict=True))
        return {name: [self._files[name].size, self._files[name].stamp] for name in names}

    def each(self, function: Callable, names: Iterable[str]) -> list:
        """Apply a function to many files, some at a time; see `LocalFolder.each`."""
        return in_threads(function, names)

    @contextmanager
    def opened(self, name: str):
        """Give a file, open for reading bytes; unpacked if it is packed as a whole."""
        with self._files[name].open() as file:
            is_packed = _is_packed(file, name)
            if is_packed and not _ends_packed(name):
                raise NoFitsError("it is packed as a whole; add .gz or .bz2 to its name")
            yield UnpackedFile(file).open() if is_packed else file

    def file(self, name: str) -> FetchedFile | UnpackedFile:
        """Return a file as `sections.ImageFile` takes it."""
        if _ends_packed(name):  # what other files begin with would be one more request
            with self._files[name].open() as file:
                if _is_packed(file, name):
                    return UnpackedFile(file)
        return FetchedFile(self._files[name])

    def where(self, name: str) -> str:
        """Name a file in messages."""
        return str(self._files[name])

    def beside(self, name: str) -> None:
        """Return None: nothing is written to a server."""
        return None

    def identity(self) -> str:
        """Return a text that no other folder has, without secrets."""
        return str(self)


TileFolder = LocalFolder | RemoteFolder


def open_folder(folder: str | Path) -> TileFolder:
    """Open a folder of tiles, named by a path or a URL.

    Raises
    ------
    InputError
        If there is none.
    """
    return RemoteFolder(str(folder)) if is_url(folder) else LocalFolder(Path(folder).expanduser())
