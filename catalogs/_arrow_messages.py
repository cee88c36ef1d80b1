"""What the messages of an Arrow IPC file say of its batches, without reading the batches.

A message is a FlatBuffer (https://github.com/apache/arrow/blob/main/format/Message.fbs); pyarrow
says neither how many rows a batch has nor how it is compressed.
"""

import struct
from dataclasses import dataclass

import pyarrow as pa

_CODECS = ("lz4", "zstd")
_BATCH, _DICTIONARY = "record batch", "dictionary"


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


def read_messages(source: pa.NativeFile, batches: int | None) -> Messages:
    """Read the messages of a file or stream from its schema on.

    Parameters
    ----------
    source : pyarrow.NativeFile
        Memory mapped, so that batches are not read.
    batches : int or None
        How many there are; None: all that come.

    Returns
    -------
    Messages

    Raises
    ------
    ValueError, OSError, pyarrow.ArrowException
        If they are damaged.
    """
    rows, sizes, codecs, deltas = [], [0], set(), False
    schema, *messages = _messages(source, batches)
    for kind, metadata, size in messages:
        table = _Table.root(metadata).table(2)
        if kind == _DICTIONARY:
            deltas = deltas or table.number(2, "?", 0) != 0
            table = table.table(1)
        else:
            rows.append(int(table.number(0, "<q", 0)))
            sizes.append(size)
        if table.has(3):
            codecs.add(_CODECS[int(table.table(3).number(0, "b", 0))])
    version = pa.ipc.MetadataVersion(int(_Table.root(schema[1]).number(0, "<h", 0)))
    return Messages(tuple(rows), max(sizes), min(codecs, default=None), version, deltas)


def _messages(source, batches: int | None) -> list[tuple[str, bytes, int]]:
    """Return kind, metadata and bytes of body of the messages up to the last batch."""
    found, count = [], 0
    reader = pa.ipc.MessageReader.open_stream(source)
    while batches is None or count < batches or not found:
        try:
            message = reader.read_next_message()
        except StopIteration:
            break
        count += message.type == _BATCH
        size = 0 if message.body is None else message.body.size
        found.append((message.type, message.metadata.to_pybytes(), size))
    if not found or (batches is not None and count < batches):
        raise ValueError("it ends before its last batch")
    return found


class _Table:
    """A table of a FlatBuffer (https://flatbuffers.dev/internals)."""

    def __init__(self, content: bytes, place: int):
        self._content, self._place = content, place
        self._fields = place - self._at("<i", place)
        self._size = self._at("<H", self._fields)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        """Return the table that a FlatBuffer holds."""
        return cls(content, struct.unpack_from("<I", content)[0])

    def _at(self, form: str, place: int):
        try:
            return struct.unpack_from(form, self._content, place)[0]
        except struct.error as error:
            raise ValueError(f"a message is damaged ({error})") from error

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
