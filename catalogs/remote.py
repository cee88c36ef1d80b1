"""Remote files, named by URLs: they are listed, read in parts, or copied here, through fsspec."""

import io
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from catalogs.errors import InputError, one_line
from catalogs.extras import not_installed
from catalogs.output import PARQUET_SUFFIXES
from catalogs.software import software_name
from catalogs.urls import masked

_WAITS = (0.5, 1.0, 2.0)
"""Seconds before the second, third and fourth attempt."""

_CONNECT_SECONDS, _SILENCE_SECONDS = 10, 60
_CONNECTIONS = 16
_BLOCK, _MOST_BLOCKS = 1 << 15, 64
"""Bytes of a block, the least that is fetched of a header, and the most blocks in memory."""

_STAMPS = ("ETag", "etag", "md5", "LastModified", "Last-Modified", "mtime", "updated", "created")
"""Names under which file systems give a value that changes with a file's content, best first."""


class RemoteError(InputError):
    """A remote file cannot be read now; the message says why."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that is read in parts.

    Attributes
    ----------
    url : str
    size : int
        Bytes.
    stamp : str
        A text that changes when the file is replaced; empty if the server gives none.
    """

    url: str
    size: int
    stamp: str

    def __str__(self):
        return masked(self.url)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop).

        Parameters
        ----------
        start, stop : int
            Bytes, from 0.

        Returns
        -------
        bytes
            Exactly stop - start of them.

        Raises
        ------
        RemoteError
            If they do not come in four attempts.
        EOFError
            If the file has not so many.
        """
        if stop > self.size:
            raise EOFError(f"truncated: it has only {self.size} bytes")
        if start >= stop:
            return b""
        system, path = _file_system(self.url)
        content = _tried(self.url, lambda: system.cat_file(path, start=start, end=stop))
        if len(content) != stop - start:
            raise RemoteError(
                f"{self.url}: its server does not send parts of files (HTTP Range); copy it here"
            )
        return content

    def open(self) -> io.BufferedReader:
        """Open the file for reading a little here and there, as headers are read."""
        return io.BufferedReader(_Reader(self), _BLOCK)


class _Reader(io.RawIOBase):
    """A `RemoteFile` as Python's files are; blocks of headers are fetched once."""

    def __init__(self, file: RemoteFile):
        self._file = file
        self._place = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self._place = offset + (0, self._place, self._file.size)[whence]
        return self._place

    def tell(self):
        return self._place

    def readinto(self, buffer):
        stop = min(self._place + len(buffer), self._file.size)
        if self._place >= stop:
            return 0
        if len(buffer) > _BLOCK:
            content = self._file.read(self._place, stop)
        else:
            number, skipped = divmod(self._place, _BLOCK)
            content = self._block(number)[skipped : skipped + len(buffer)]
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            start = number * _BLOCK
            stop = min(start + _BLOCK, self._file.size)
            self._blocks[number] = self._file.read(start, stop)
        return self._blocks[number]


def list_folder(url: str, *, depth: int = 0) -> dict[str, str]:
    """Return the URLs of the files below a folder, by their paths from there.

    Over HTTP the page that the server makes of a folder is read; links that lead out of the folder
    are not followed.

    Parameters
    ----------
    url : str
    depth : int
        Folders within folders that are looked into; 0 for files right below the folder.

    Returns
    -------
    dict of str to str

    Raises
    ------
    RemoteError
        If a folder cannot be listed.
    """
    system, path = _file_system(url)
    base, mark, query = url.partition("?")
    system.invalidate_cache()
    files = {}
    for child in _tried(url, lambda: system.ls(path, detail=True)):
        beginning, _, last = child["name"].rstrip("/").rpartition("/")
        name = unquote(last) if _is_http(url) else last
        if not name or name == ".." or "/" in name or "?" in last or not _same(beginning, path):
            continue
        child_url = f"{base.rstrip('/')}/{last}{mark}{query}"
        if child["type"] != "directory":
            files[name] = child_url
        elif depth and not name.startswith("."):
            below = list_folder(child_url, depth=depth - 1)
            files |= {f"{name}/{other}": other_url for other, other_url in below.items()}
    return files


def _same(one: str, other: str) -> bool:
    return one.strip("/") == other.strip("/")


def look_up(urls: Iterable[str]) -> list[RemoteFile]:
    """Ask for the sizes of files and when they were changed, many at a time.

    Raises
    ------
    RemoteError
        If one is not there, or its server does not say how large it is.
    """
    return in_threads(_look_up, urls)


def _look_up(url: str) -> RemoteFile:
    system, path = _file_system(url)
    info = _tried(url, lambda: system.info(path))
    if not isinstance(info.get("size"), int):
        raise RemoteError(f"{url}: its server does not say how large it is; copy it here")
    stamp = next((str(info[key]) for key in _STAMPS if info.get(key)), "")
    return RemoteFile(url, info["size"], stamp)


def in_threads(function: Callable, items: Iterable) -> list:
    """Apply a function that waits for servers to many items, 16 at a time.

    Parameters
    ----------
    function : callable
        Of one item.
    items : iterable

    Returns
    -------
    list
        The results, in the order of the items. The first error ends the work and is raised.
    """
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        try:
            return list(pool.map(function, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def copy(url: str, target: Path, *, marks: Collection[str] = ()):
    """Copy a file here, or, where the file system has folders, the Parquet files of a folder.

    Parameters
    ----------
    url : str
    target : Path
    marks : collection of str
        A folder with a file of one of these names is copied whole.

    Raises
    ------
    RemoteError
        If there is none, or it does not come.
    """
    system, path = _file_system(url)
    if _is_http(url) or not _tried(url, lambda: system.isdir(path)):
        _tried(url, lambda: system.get_file(path, str(target)))
        return
    places = {
        name: PurePosixPath(name[len(path) :].lstrip("/"))
        for name in _tried(url, lambda: system.find(path))
    }
    whole = any(str(place) in marks for place in places.values())
    for name, place in places.items():
        if (whole or place.suffix.lower() in PARQUET_SUFFIXES) and ".." not in place.parts:
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            _tried(url, lambda name=name, place=place: system.get_file(name, str(target / place)))
    if not target.is_dir():
        raise RemoteError(f"{url}: no Parquet files in this folder")


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _file_system(url: str):
    """Return fsspec's file system for a URL, and the path in it."""
    if "::" in url:
        raise InputError(f"{url}: URLs within URLs are not followed; copy the file here")
    protocol, mark, rest = url.partition("://")
    url = f"{protocol.lower()}{mark}{rest}"
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise not_installed(f"{url}: reading a URL needs fsspec", "remote") from error
    try:
        return (_http(), url) if _is_http(url) else url_to_fs(url)
    except ImportError as error:
        if _is_http(url):
            raise not_installed(f"{url}: reading a URL needs aiohttp", "remote") from error
        raise InputError(_missing_package(url)) from error
    except ValueError as error:
        raise InputError(f"{url}: {error}") from error


@cache
def _http():
    """Make the client that all threads share: it names this software, and has time-outs."""
    from aiohttp import ClientTimeout
    from fsspec import filesystem

    timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    headers = {
        "User-Agent": software_name().replace(" ", "/"),
        "Accept-Encoding": "identity",  # otherwise sizes are those of compressed bytes
    }
    options = {"timeout": timeout, "headers": headers, "trust_env": True}  # the site's proxy
    return filesystem("https", client_kwargs=options)


def _missing_package(url: str) -> str:
    """Say which package a protocol needs, and how it is installed."""
    from fsspec.registry import known_implementations

    protocol = url.partition("://")[0].lower()
    known = known_implementations.get(protocol, {})
    package = known.get("class", "").partition(".")[0]
    if package == "fsspec":
        return f"{url}: {known.get('err', 'a package is missing')}"
    return f"{url}: {protocol}:// needs another package: pip install {package}"


def _tried(url: str, call: Callable):
    """Return the result of a call of the file system; failures that may pass are tried again.

    Each file system has errors of its own, so all of them are taken for what the outside world
    has done.
    """
    for wait in (*_WAITS, None):
        try:
            return call()
        except FileNotFoundError as error:
            raise RemoteError(f"{url}: no such file or folder") from error
        except Exception as error:
            if wait is None or _is_final(error):
                raise RemoteError(f"{url}: cannot be read ({_reason(error)})") from error
        time.sleep(wait)


def _is_final(error: Exception) -> bool:
    """Tell whether another attempt would fail in the same way."""
    status = getattr(error, "status", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status != 429
    return refused or isinstance(error, PermissionError | NotImplementedError)


def _reason(error: Exception) -> str:
    status = getattr(error, "status", None)
    text = f"HTTP {status}" if isinstance(status, int) else f"{error}" or type(error).__name__
    return one_line(masked(text))
