"""Arrow IPC files (Feather version 2) and streams: read and written batch by batch."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalogs._arrow_messages import Messages, messages_of_file, messages_of_stream
from catalogs._parquet_files import Part, readable
from catalogs._parquet_rows import filtered
from catalogs._parquet_schema import schema_with
from catalogs._parquet_write import added_arrays, told_of
from catalogs.blocks import BLOCK_ROWS
from catalogs.columns import AddedColumn, already_there
from catalogs.errors import InputError, one_line
from catalogs.hashes import file_sha256
from catalogs.output import written_whole
from catalogs.parquet import ParquetCatalog

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

_MAPPED_BYTES = 1 << 27
"""Size of a batch from which a file is mapped: it would take too much memory."""

_MOST_ROWS = 1 << 20
"""Rows beyond which a batch is written as several."""

_DAMAGED = (pa.ArrowException, OSError, ValueError)

NotedBatch = tuple[pa.RecordBatch, Mapping[bytes, bytes] | None]
"""A batch, and the metadata of its own that it has in the file."""


class ArrowCatalog(ParquetCatalog):
    """A catalog in an Arrow IPC file, which Feather version 2 is; see `catalogs.Catalog`.

    Its batches are read as those of Parquet are.
    """

    format = "arrow"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for files with several tables; this has one")
        self.path = path
        try:
            with pa.memory_map(str(path)) as source:
                reader = self._reader(source)
                schema = reader.schema
                names = schema.names  # damaged ones are no UTF-8
            with pa.memory_map(str(path)) as source:
                self._messages = self._read_messages(source)
        except _DAMAGED as error:
            raise InputError(
                f"{path}: not a readable Arrow IPC file ({one_line(error)})"
            ) from error
        doubled = [name for name, count in Counter(names).items() if count > 1]
        if doubled:
            raise InputError(f"{path}: several columns are called {doubled[0]}; rename them")
        self._parts = [Part(path, 0, sum(self._messages.rows), schema)]
        self.row_count = self._parts[0].rows
        self.column_names = tuple(names)
        self._readers, self._exact_readers = {}, {}
        self.position_columns = self._positions(ra=ra, dec=dec, unit=position_unit)

    # --- What files and streams do not have in common --------------------------------------------

    def _read_messages(self, source: pa.NativeFile) -> Messages:
        return messages_of_file(source)

    def _reader(self, source: pa.NativeFile, options: pa.ipc.IpcReadOptions | None = None):
        return pa.ipc.open_file(source, options=options)

    def _noted_batches(self, reader, first: int) -> Iterator[NotedBatch]:
        """Yield the batches from that of the number `first` on."""
        for number in range(first, reader.num_record_batches):
            yield reader.get_batch_with_custom_metadata(number)

    def _writer(self, target: Path, schema: pa.Schema, metadata: Mapping):
        notes = {"metadata": dict(metadata)} if metadata else {}
        return pa.ipc.new_file(str(target), schema, options=self._options(), **notes)

    # --- Reading ---------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, names: Sequence[str] | None = None) -> Iterator:
        """Open the file to read some columns, or all of them."""
        schema = self._parts[0].schema
        fields = None if names is None else sorted({schema.get_field_index(n) for n in names})
        options = pa.ipc.IpcReadOptions(included_fields=fields or [])
        opener = pa.memory_map if self._messages.largest > _MAPPED_BYTES else pa.OSFile
        with opener(str(self.path)) as source:
            yield self._reader(source, options)

    def _batches(self, names: Sequence[str], start: int) -> Iterator[pa.RecordBatch]:
        ends = np.cumsum(self._messages.rows)
        first = int(np.searchsorted(ends, start, "right"))
        skip = start - int(ends[first - 1] if first else 0)
        with self._opened(names) as reader:
            for batch, _ in readable(self._noted_batches(reader, first), self.path):
                chosen = batch.select(list(names))
                for row in range(skip, chosen.num_rows, BLOCK_ROWS):
                    yield chosen.slice(row, BLOCK_ROWS)
                skip = 0

    def _small_batches(self) -> Iterator[tuple[int, pa.RecordBatch, Mapping | None]]:
        """Yield all batches, those of very many rows in pieces, with their first rows and notes."""
        row = 0
        with self._opened() as reader:
            for batch, notes in readable(self._noted_batches(reader, 0), self.path):
                for start in range(0, max(batch.num_rows, 1), _MOST_ROWS):
                    piece = batch.slice(start, _MOST_ROWS)
                    yield row, piece, notes
                    row += piece.num_rows

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    # --- Writing ---------------------------------------------------------------------------------

    def _options(self) -> pa.ipc.IpcWriteOptions:
        """Return how the batches are to be written: as they were."""
        return pa.ipc.IpcWriteOptions(
            metadata_version=self._messages.version,
            compression=self._messages.compression,
            emit_dictionary_deltas=self._messages.has_deltas,
        )

    @contextmanager
    def _written(self, output: Path, schema: pa.Schema) -> Iterator:
        """Open a new file that appears under its name when it is whole."""
        with self._opened() as reader:
            metadata = getattr(reader, "metadata", None) or {}
        with written_whole(output) as partial, self._writer(partial, schema, metadata) as writer:
            yield writer

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
        vo_metadata: bool = False,
    ):
        """Write the file again with columns added; see `catalogs.Catalog`.

        `vo_metadata` is of Parquet alone: a VOTable that the schema holds learns the new columns.
        """
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        old = self._parts[0].schema
        dropped = already_there(columns, old.names)
        kept = [name for name in old.names if name not in dropped]
        schema = told_of(schema_with(old, kept, columns, provenance), columns, dropped)
        with self._written(output, schema) as writer:
            for row, batch, notes in self._small_batches():
                new = added_arrays(columns, values, row, row + batch.num_rows)
                arrays = [*batch.select(kept).columns, *new]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), notes)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        schema = self._parts[0].schema
        with self._written(output, schema) as writer:
            for row, batch, notes in self._small_batches():
                chosen = keep[row : row + batch.num_rows]
                table = filtered(pa.Table.from_batches([batch], schema), chosen)
                for piece in table.combine_chunks().to_batches():
                    writer.write_batch(piece, notes)


class ArrowStreamCatalog(ArrowCatalog):
    """A catalog in a stream of Arrow IPC; see `catalogs.Catalog`."""

    format = "arrow-stream"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is doubtful about the stream."""
        with open(self.path, "rb") as file:
            file.seek(-len(_END_OF_STREAM), 2)
            whole = file.read() == _END_OF_STREAM
        return () if whole else ("the stream has no mark at its end; it may be cut short",)

    def _read_messages(self, source: pa.NativeFile) -> Messages:
        return messages_of_stream(source)

    def _reader(self, source: pa.NativeFile, options: pa.ipc.IpcReadOptions | None = None):
        return pa.ipc.open_stream(source, options=options)

    def _noted_batches(self, reader, first: int) -> Iterator[NotedBatch]:
        for number, noted in enumerate(_of_stream(reader)):
            if number >= first:
                yield noted

    def _writer(self, target: Path, schema: pa.Schema, metadata: Mapping):
        return pa.ipc.new_stream(str(target), schema, options=self._options())


def _of_stream(reader) -> Iterator[NotedBatch]:
    """Yield the batches of a stream."""
    while True:
        try:
            yield reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            return
