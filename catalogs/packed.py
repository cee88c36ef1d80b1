"""Files that are compressed as a whole: gzip, bzip2, xz and zstd, read and written.

The content tells how an input is compressed; its name tells how an output shall be.
"""

import bz2
import gzip
import io
import lzma
import shutil
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from catalogs.errors import InputError, one_line
from catalogs.output import naming, written_whole

_BLOCK = 1 << 20
_BEGINNING = 1 << 16
"""Bytes that are enough to recognise a format."""


@dataclass(frozen=True)
class Packing:
    """One way to compress a file.

    Attributes
    ----------
    title : str
    mark : bytes
        What compressed files begin with.
    ending : str
    command : str
        Unpacks a file with the option ``-d``.
    reader, writer : callable
        Make of an opened file one that unpacks or compresses.
    """

    title: str
    mark: bytes
    ending: str
    command: str
    reader: Callable[[BinaryIO], io.BufferedIOBase]
    writer: Callable[[BinaryIO], io.BufferedIOBase]


def _zstd_reader(file: BinaryIO) -> io.BufferedIOBase:
    import pyarrow as pa

    return io.BufferedReader(_Reading(pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")))


class _Reading(io.RawIOBase):
    """Arrow's stream as Python's files are."""

    def __init__(self, stream):
        self._stream = stream

    def readable(self):
        return True

    def readinto(self, buffer):
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _zstd_writer(file: BinaryIO) -> io.BufferedIOBase:
    import pyarrow as pa

    return pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd")


PACKINGS = (
    Packing(
        "gzip",
        b"\x1f\x8b",
        ".gz",
        "gzip",
        lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
        lambda file: gzip.GzipFile("", "wb", 6, file, mtime=0),
    ),
    Packing(
        "bzip2",
        b"BZh",
        ".bz2",
        "bzip2",
        lambda file: bz2.BZ2File(file, "rb"),
        lambda file: bz2.BZ2File(file, "wb"),
    ),
    Packing(
        "xz",
        b"\xfd7zXZ\0",
        ".xz",
        "xz",
        lambda file: lzma.LZMAFile(file, "rb"),
        lambda file: lzma.LZMAFile(file, "wb"),
    ),
    Packing("zstd", b"\x28\xb5\x2f\xfd", ".zst", "zstd", _zstd_reader, _zstd_writer),
)
"""All of them; the bytes they write depend on the content alone."""

PACKED_ENDINGS = tuple(packing.ending for packing in PACKINGS)
"""Endings of the names of compressed files, in lower case."""

_DAMAGED = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error)
"""What unpacking raises on files that are cut short or damaged."""


def packing_of(path: Path) -> Packing | None:
    """Tell from its content how a file is compressed; None: it is not."""
    with open(path, "rb") as file:
        mark = file.read(8)
    return next((packing for packing in PACKINGS if mark.startswith(packing.mark)), None)


def beginning_of(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked, without a byte order mark and white space."""
    packing = packing_of(path)
    with open(path, "rb") as file:
        if packing is None:
            content = file.read(_BEGINNING)
        else:
            content = b""
            with _damaged_said(path), packing.reader(file) as unpacked:
                content = unpacked.read(_BEGINNING)
    return content.removeprefix(b"\xef\xbb\xbf").lstrip(b" \r\n")


def plain_file(path: Path, owner: object) -> Path:
    """Return an uncompressed file: the path itself, or an unpacked copy.

    Parameters
    ----------
    path : Path
    owner : object
        The copy lives as long as this does.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the file is cut short or damaged.
    """
    packing = packing_of(path)
    if packing is None:
        return path
    folder = Path(mkdtemp(prefix="lsbg-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    copy = folder / "table"
    with naming(copy), open(path, "rb") as file, open(copy, "wb") as target:
        with _damaged_said(path):
            unpacked = packing.reader(file)
        while True:
            with _damaged_said(path):
                block = unpacked.read(_BLOCK)
            if not block:
                break
            target.write(block)
    return copy


@contextmanager
def written_packed(output: Path) -> Iterator[Path]:
    """Write a file as `written_whole` does, and compress it as the ending of its name says."""
    packing = next((p for p in PACKINGS if output.suffix.lower() == p.ending), None)
    with written_whole(output) as partial:
        yield partial
        if packing is not None:
            _pack(partial, packing)


def _pack(path: Path, packing: Packing):
    """Replace a file by its compressed form."""
    packed = path.with_name(path.name + packing.ending)
    try:
        with open(path, "rb") as source, open(packed, "wb") as raw, packing.writer(raw) as target:
            shutil.copyfileobj(source, target, _BLOCK)
        packed.replace(path)
    finally:
        packed.unlink(missing_ok=True)


@contextmanager
def _damaged_said(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        reason = one_line(error)
        raise InputError(f"{path}: truncated or damaged ({reason}); fetch it again") from error
