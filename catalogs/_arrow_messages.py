"""What the messages of an Arrow IPC file say of its batches, without reading the batches.

A message is a FlatBuffer (https://github.com/apache/arrow/blob/main/format/Message.fbs); pyarrow
says neither how many rows a batch has nor how it is compressed.
"""

import struct
from dataclasses import dataclass

import pyarrow as pa

_CODECS = ("lz4", "zstd")
_CONTINUED = b"\xff\xff\xff\xff"
_AFTER_FOOTER = 10
"""Bytes after the list of batches in a file: those of its length before ``ARROW1``."""

_BLOCK_BYTES = 24
"""Of each entry of that list."""


@dataclass(frozen=True)
class Messages:
    """What the messages of a file say.

    Attributes
    ----------
    rows : tuple of int
        Of each batch.
    largest : int
        Bytes of the largest batch, compressed as it is.
    compression : str or None
        ``lz4``, ``zstd``, or None.
    version : pyarrow.ipc.MetadataVersion
    has_deltas : bool
        Whether dictionaries grow.
    """

    rows: tuple[int, ...]
    largest: int
    compression: str | None
    version: pa.ipc.MetadataVersion
    has_deltas: bool


Message = tuple[bytes, int]
"""The FlatBuffer of a message, and the bytes of its body."""


def messages_of_file(source: pa.NativeFile) -> Messages:
    """Read what the messages of a file say, which its last bytes list.

    Parameters
    ----------
    source : pyarrow.NativeFile
        Memory mapped, so that batches are not read.

    Returns
    -------
    Messages

    Raises
    ------
    ValueError, OSError, pyarrow.ArrowException
        If they are damaged.
    """
    size = source.size()
    length = _unpacked("<i", source.read_at(4, size - _AFTER_FOOTER))
    if not 0 < length <= size - _AFTER_FOOTER:
        raise ValueError("the list of its batches is damaged")
    footer = _Table.root(source.read_at(length, size - _AFTER_FOOTER - length))
    dictionaries, batches = (
        [_message_at(source, *block) for block in footer.blocks(field)] for field in (2, 3)
    )
    return _told(footer.number(0, "<h", 0), dictionaries, batches)


def _message_at(source, place: int, size: int, body: int) -> Message:
    if min(place, size, body) < 0:
        raise ValueError("the list of its batches is damaged")
    content = source.read_at(size, place)
    start = 8 if content.startswith(_CONTINUED) else 4
    return content[start:], body


def messages_of_stream(source: pa.NativeFile) -> Messages:
    """Read what the messages of a stream say, as `messages_of_file` does.

    Parameters
    ----------
    source : pyarrow.NativeFile

    Returns
    -------
    Messages

    Raises
    ------
    ValueError, OSError, pyarrow.ArrowException
        If they are damaged.
    """
    reader = pa.ipc.MessageReader.open_stream(source)
    found: dict[str, list[Message]] = {"schema": [], "dictionary": [], "record batch": []}
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            break
        body = 0 if message.body is None else message.body.size
        found.setdefault(message.type, []).append((message.metadata.to_pybytes(), body))
    if not found["schema"]:
        raise ValueError("it has no schema")
    version = _Table.root(found["schema"][0][0]).number(0, "<h", 0)
    return _told(version, found["dictionary"], found["record batch"])


def _told(version: int, dictionaries: list[Message], batches: list[Message]) -> Messages:
    """Return what messages say."""
    rows, codecs, deltas = [], set(), False
    for metadata, _ in dictionaries:
        dictionary = _Table.root(metadata).table(2)
        deltas = deltas or dictionary.number(2, "?", 0) != 0
        codecs.add(_codec_of(dictionary.table(1)))
    for metadata, _ in batches:
        batch = _Table.root(metadata).table(2)
        rows.append(int(batch.number(0, "<q", 0)))
        codecs.add(_codec_of(batch))
    if min(rows, default=0) < 0:
        raise ValueError("a batch has a negative number of rows")
    compression = min((codec for codec in codecs if codec), default=None)
    largest = max((body for _, body in batches), default=0)
    if batches:  # pyarrow says its newest version at the end of all files
        version = _Table.root(batches[0][0]).number(0, "<h", 0)
    version_known = pa.ipc.MetadataVersion(int(version))
    return Messages(tuple(rows), largest, compression, version_known, deltas)


def _codec_of(batch: "_Table") -> str | None:
    if not batch.has(3):
        return None
    codec = batch.table(3).number(0, "b", 0)
    if codec not in range(len(_CODECS)):
        raise ValueError(f"a batch is compressed in an unknown way ({codec})")
    return _CODECS[codec]


def _unpacked(form: str, content: bytes, place: int = 0):
    try:
        return struct.unpack_from(form, content, place)[0]
    except struct.error as error:
        raise ValueError(f"a message is damaged ({error})") from error


class _Table:
    """A table of a FlatBuffer (https://flatbuffers.dev/internals)."""

    def __init__(self, content: bytes, place: int):
        self._content, self._place = content, place
        self._fields = place - self._at("<i", place)
        self._size = self._at("<H", self._fields)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        """Return the table that a FlatBuffer holds."""
        return cls(content, _unpacked("<I", content))

    def _at(self, form: str, place: int):
        return _unpacked(form, self._content, place)

    def _place_of(self, field: int) -> int:
        """Return where a field is; 0: it has its default value."""
        entry = 4 + 2 * field
        offset = self._at("<H", self._fields + entry) if entry < self._size else 0
        return offset and self._place + offset

    def has(self, field: int) -> bool:
        """Tell whether a field is not its default."""
        return bool(self._place_of(field))

    def number(self, field: int, form: str, default: int) -> int:
        """Return a field that is a number."""
        place = self._place_of(field)
        return self._at(form, place) if place else default

    def table(self, field: int) -> "_Table":
        """Return a field that is a table."""
        place = self._place_of(field)
        if not place:
            raise ValueError("a message lacks its content")
        return _Table(self._content, place + self._at("<I", place))

    def blocks(self, field: int) -> list[tuple[int, int, int]]:
        """Return a field that lists messages of a file: place, bytes of metadata and of body."""
        place = self._place_of(field)
        if not place:
            return []
        place += self._at("<I", place)
        count = self._at("<I", place)
        if count * _BLOCK_BYTES > len(self._content):
            raise ValueError("the list of its batches is damaged")
        starts = (place + 4 + number * _BLOCK_BYTES for number in range(count))
        return [
            (self._at("<q", start), self._at("<i", start + 8), self._at("<q", start + 16))
            for start in starts
        ]
