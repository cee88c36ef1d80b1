"""What all catalogs of text have in common: read in blocks, written with cells added to each row.

A format says how its header is read and written, and how its rows are divided; see `Layout`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogs.blocks import collected
from catalogs.columns import AddedColumn, already_there, check_free, column_number
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, Wanted
from catalogs.hashes import file_sha256
from catalogs.packed import plain_file, written_packed
from catalogs.positions import (
    ColumnInfo,
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    read_positions,
    says_no_unit,
)
from catalogs.text.exact import kind_of_cells, read_cells
from catalogs.text.layout import Block, Layout
from catalogs.text.rows import RowError, Rows, inserted, some_rows, without
from catalogs.text.syntax import UNCLOSED
from catalogs.text.values import (
    ValueTextError,
    as_exact,
    as_floats,
    cells_of,
    decoded,
    is_utf8,
    joined_kind,
    kind_of,
)

_BLOCK = 1 << 22
"""Bytes that are read at a time."""

_LONGEST = 1 << 26
"""Bytes of the longest row that is taken for one."""

_HEADER = 1 << 20
"""Bytes within which the data must begin."""

_SHOWN = 6
"""Values of the first row that are shown where a file does not name its columns."""

_SAMPLE = 1000
"""Rows whose values tell at first what a column holds."""


class TextCatalog:
    """A catalog in a file of text; see `catalogs.Catalog`.

    A format has `format`, `null`, `_layout_of` and `_new_header`, and where its rows have more
    than cells with something between them, `_cells`.
    """

    format: str
    null = ""
    """What stands for "no value"."""

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for files with several tables; this has one")
        self.path = path
        self._file = plain_file(path, self)
        self._layout = self._read_layout()
        self._blocks, self._longest, self.is_utf8 = [], 0, True
        for block, content, rows in self._scan():
            self.is_utf8 = self.is_utf8 and is_utf8(content)
            self._check_rows(block, content, rows)
            self._blocks.append(block)
            self._longest = max(self._longest, int((rows.stops - rows.starts).max(initial=0)))
        self.row_count = sum(block.rows for block in self._blocks)
        self.column_names = tuple(column.name for column in self._layout.columns)
        self._parsed: dict[int, tuple[bytes, Rows, dict[int, np.ndarray]]] = {}
        self._known_kinds: dict[int, str | None] = {}
        self._find_positions({"ra": ra, "dec": dec, "unit": position_unit})

    def _find_positions(self, options: Mapping[str, str | None]):
        """Find the position among the columns; see `catalogs.positions.find_positions`."""
        if not self._layout.has_names and options["ra"] is None and options["dec"] is None:
            raise InputError(f"{self.path}: {self._nameless()}")
        infos, where = self._infos(), str(self.path)
        sample = Sample(self, 0, self.row_count)
        self.position_columns: PositionColumns = find_positions(
            infos, where, **options, sample=sample
        )
        if options["unit"] is None and says_no_unit(self.position_columns, infos):
            first = self.read_positions(0, min(self.row_count, 10_000))
            check_not_radians(first, self.position_columns, where)

    def _nameless(self) -> str:
        """Say how to name the position columns of a file without a header, and what is in them."""
        count = self._layout.cell_count
        values = ""
        if self.row_count:
            number = next(n for n, block in enumerate(self._blocks) if block.rows)
            texts = self._texts(number, range(min(count, _SHOWN)))
            cells = (decoded(text[0].as_py())[:20] for text in texts)
            values = ", ".join(f"col{n} = {cell}" for n, cell in enumerate(cells, 1))
            more = f", ... (col{count} is the last)" if count > _SHOWN else ""
            values = f"; in its first row {values}{more}"
        return (
            "the file has no header, so its columns are named col1, col2, ...; say which are right "
            f"ascension and declination, such as --ra col2 --dec col3{values}"
        )

    # --- What a format says ----------------------------------------------------------------------

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Read the header.

        Parameters
        ----------
        content : bytes
            The beginning of the file.
        whole : bool
            Whether that is all of it.

        Raises
        ------
        ValueError
            If it is not of this format.
        """
        raise NotImplementedError

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Return the header for the output: without some columns, by number, and with new ones."""
        raise NotImplementedError

    def _check_rows(self, block: Block, content: bytes, rows: Rows):
        """Refuse rows that cannot be extended; most formats find them when they are read."""

    def _cells(self, columns, values: list[pa.Array], lengths: np.ndarray, dropped) -> pa.Array:
        """Return what is put at the end of each row; its length is that without dropped cells."""
        between = getattr(self._layout.syntax, "delimiter", b" ").decode("latin-1")
        nothing = pa.scalar("", pa.large_string())
        return pc.binary_join_element_wise(nothing, *values, pa.scalar(between, pa.large_string()))

    def provenance(self) -> dict[str, str]:
        """Return what the file says of our columns, by the keys of `write_annotated`."""
        return {}

    # --- Reading ---------------------------------------------------------------------------------

    def _read_layout(self) -> Layout:
        with open(self._file, "rb") as file:
            content = file.read(_HEADER + 1)
        try:
            return self._layout_of(content, len(content) <= _HEADER)
        except ValueError as error:
            reason = one_line(error, 300)
            raise InputError(
                f"{self.path}: not a readable {self.format} table ({reason})"
            ) from error

    def _scan(self) -> Iterator[tuple[Block, bytes, Rows]]:
        """Yield the blocks of the file: where they are, their bytes, and the rows in them."""
        syntax, first = self._layout.syntax, 0
        with open(self._file, "rb") as file:
            file.seek(self._layout.data_start)
            start, rest, final = self._layout.data_start, b"", False
            while not final:
                new = file.read(_BLOCK)
                final, block = len(new) < _BLOCK, rest + new
                try:
                    rows = syntax.split(block, final=final)
                except RowError as error:
                    raise self._refused(error, start, block) from error
                rest = block[rows.used :]
                if len(rest) > _LONGEST or (final and rest):
                    raise self._refused(RowError(0, UNCLOSED), start, rest)
                yield (
                    Block(start, start + rows.used, first, len(rows)),
                    block[: rows.used] if rest else block,
                    rows,
                )
                start, first = start + rows.used, first + len(rows)

    def _refused(self, error: RowError, start: int, block: bytes, rows: Rows | None = None):
        """Return the error of a row as one that names the line."""
        place = start if rows is None or not len(rows) else start + int(rows.starts[error.row])
        if rows is None:
            place = start + self._layout.syntax.split(block, final=False).used
        return InputError(f"{self.path}: line {self._line_at(place)}: {error}; correct it")

    def _line_at(self, place: int) -> int:
        """Return the number of the line that a byte is in, from 1."""
        count, last = 1, b""
        with open(self._file, "rb") as file:
            while place > 0 and (part := file.read(min(place, _BLOCK))):
                count += part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n")
                count -= last == b"\r" and part[:1] == b"\n"
                last, place = part[-1:], place - len(part)
        return count

    def _block_of(self, number: int) -> tuple[bytes, Rows, dict[int, np.ndarray]]:
        """Return the bytes of a block, its rows, and a place for the columns read from it."""
        if number not in self._parsed:
            block = self._blocks[number]
            with open(self._file, "rb") as file:
                file.seek(block.start)
                content = file.read(block.stop - block.start)
            rows = self._layout.syntax.split(content, final=True)
            if len(rows) != block.rows:
                raise InputError(f"{self.path}: changed while it was read; start again")
            if len(self._parsed) > 1:
                self._parsed.pop(min(self._parsed))
            self._parsed[number] = content, rows, {}
        return self._parsed[number]

    def _texts(self, number: int, cells: Sequence[int]) -> list[pa.Array]:
        """Return the texts of cells in all rows of a block."""
        content, rows, _ = self._block_of(number)
        try:
            return self._layout.syntax.texts(content, rows, self._layout.cell_count, tuple(cells))
        except RowError as error:
            raise self._refused(error, self._blocks[number].start, content, rows) from error

    def _floats(self, number: int, cells: Sequence[int]) -> list[np.ndarray]:
        """Return numbers of cells in all rows of a block: float64, NaN where there is no value."""
        _, rows, known = self._block_of(number)
        missing = [cell for cell in dict.fromkeys(cells) if cell not in known]
        new = self._texts(number, missing) if missing else ()
        for cell, column in zip(missing, new, strict=True):
            try:
                known[cell] = as_floats(column, decimal_comma=self._layout.decimal_comma)
            except ValueTextError as error:
                line = self._line_at(self._blocks[number].start + int(rows.starts[error.row]))
                raise InputError(
                    f"{self.path}: {self._name_of(cell)} in line {line} is {str(error)!r}, not a "
                    "number"
                ) from error
        return [known[cell] for cell in cells]

    def _name_of(self, cell: int) -> str:
        return self.column_names[int(np.searchsorted(self._layout.firsts, cell, "right")) - 1]

    def _number_of(self, name: str) -> int:
        """Return which column has that name."""
        return column_number(name, self.column_names, self.path)

    def _cell_of(self, name: str) -> int:
        """Return the number of the cell that a column has in each row."""
        number = self._number_of(name)
        if self._layout.columns[number].size is not None:
            raise InputError(f"{self.path}: {name} is not one real number a row")
        return self._layout.firsts[number]

    def _infos(self) -> dict[str, ColumnInfo]:
        """Say what the columns hold, from their first values."""
        kinds: Sequence[str | None] = [None] * self._layout.cell_count
        number = next((n for n, block in enumerate(self._blocks) if block.rows), None)
        if number is not None:
            comma = self._layout.decimal_comma
            texts = self._texts(number, range(self._layout.cell_count))
            kinds = [kind_of(text[:_SAMPLE], decimal_comma=comma) for text in texts]
        infos = {}
        for column, first in zip(self._layout.columns, self._layout.firsts, strict=False):
            kind = kinds[first]
            is_number = column.size is None and kind in ("integer", "number", None)
            infos[column.name] = ColumnInfo(is_number, kind == "text", column.unit or None)
        return infos

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self.read_columns((name,), start, stop)[0]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        cells = [self._cell_of(name) for name in names]
        pieces: list[list[np.ndarray]] = [[np.empty(0)] for _ in names]
        for number in self._blocks_with(start, stop):
            first = self._blocks[number].first
            for piece, values in zip(pieces, self._floats(number, cells), strict=True):
                piece.append(values[max(start - first, 0) : stop - first])
        return [np.concatenate(piece) for piece in pieces]

    def _blocks_with(self, start: int, stop: int) -> range:
        """Return the numbers of the blocks that hold some of the rows [start, stop)."""
        firsts = [block.first for block in self._blocks]
        low = max(int(np.searchsorted(firsts, start, "right")) - 1, 0)
        return range(low, int(np.searchsorted(firsts, max(stop, start), "left")))

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; see `catalogs.Catalog`."""
        return kind_of_cells(self, name)[0]

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        return read_cells(self, wanted, start, stop)

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    def _kinds_of(self, cells: Sequence[int]) -> list[str | None]:
        """Return what cells hold, over all rows; all of them are found out at once."""
        missing = range(self._layout.cell_count)
        if any(cell not in self._known_kinds for cell in cells):
            comma = self._layout.decimal_comma
            kinds: list[str | None] = [None] * len(missing)
            for number in range(len(self._blocks)):
                new = (kind_of(t, decimal_comma=comma) for t in self._texts(number, missing))
                kinds = [joined_kind(*pair) for pair in zip(kinds, new, strict=True)]
            self._known_kinds |= zip(missing, kinds, strict=True)
        return [self._known_kinds[cell] for cell in cells]

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row, by what all their values are."""
        firsts = self._layout.firsts[:-1]
        kinds = self._kinds_of(firsts)
        return [
            ColumnDetail(column.name, kind or "number", column.unit, column.description)
            for column, kind in zip(self._layout.columns, kinds, strict=True)
            if column.size is None
        ]

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        cell, values = self._cell_of(detail.name), []
        for number, block in enumerate(self._blocks):
            low, high = np.searchsorted(rows, (block.first, block.first + block.rows))
            if low < high:
                texts = self._texts(number, [cell])[0]
                picked = texts.take(pa.array(rows[low:high] - block.first))
                values += as_exact(picked, detail.kind, utf8=self.is_utf8)
        return values

    # --- Writing ---------------------------------------------------------------------------------

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that exist; see `catalogs.Catalog`."""
        if not overwrite_columns:
            check_free(columns, self.column_names, self.path)

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the file again with columns added; see `catalogs.Catalog`."""
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        names = set(already_there(columns, self.column_names))
        dropped = {n for n, name in enumerate(self.column_names) if name in names}
        with written_packed(output) as partial, open(partial, "wb") as file:
            file.write(self._new_header(dropped, columns, provenance))
            for block, content, rows in self._scan():
                new = self._new_values(columns, values, block)
                file.write(self._extended(block, content, rows, dropped, columns, new))

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        with written_packed(output) as partial, open(partial, "wb") as file:
            with open(self._file, "rb") as source:
                file.write(source.read(self._layout.data_start))
            for block, content, rows in self._scan():
                file.write(some_rows(content, rows, keep[block.first : block.first + block.rows]))

    def _new_values(self, columns, values, block: Block) -> list[pa.Array]:
        """Return the added columns' values in the rows of a block, as texts."""
        arrays = collected(columns, values, block.first, block.first + block.rows)
        texts = [cells_of(array, self.null) for array in arrays]
        if self._layout.decimal_comma:
            texts = [pc.replace_substring(text, ".", ",") for text in texts]
        return texts

    def _extended(self, block: Block, content: bytes, rows: Rows, dropped, columns, new) -> bytes:
        """Return a block with cells at the end of each row, and without those of some columns."""
        stops, lengths = rows.stops, rows.stops - rows.starts
        if dropped and len(rows):
            try:
                spans = self._layout.syntax.spans(content, rows, self._layout.cell_count)
            except RowError as error:
                raise self._refused(error, block.start, content, rows) from error
            cuts = self._cuts(spans, rows, dropped)
            content, stops = without(content, cuts.reshape(-1, 2), stops)
            lengths = lengths - (cuts[..., 1] - cuts[..., 0]).sum(axis=1)
        if not len(rows):
            return content
        return inserted(content, stops, self._cells(columns, new, lengths, dropped))

    def _cuts(self, spans: np.ndarray, rows: Rows, dropped: set[int]) -> np.ndarray:
        """Return what is cut out of each row: cells, and what divides them from others."""
        firsts = self._layout.firsts
        cells = [c for number in sorted(dropped) for c in range(firsts[number], firsts[number + 1])]
        first_kept = next(c for c in range(firsts[-1]) if c not in cells)
        cuts = np.empty((len(rows), len(cells), 2), np.int64)
        for place, cell in enumerate(cells):
            if cell < first_kept:
                cuts[:, place, 0] = spans[:, cell, 0]
                cuts[:, place, 1] = spans[:, cell + 1, 0]
            else:
                cuts[:, place, 0] = spans[:, cell - 1, 1]
                cuts[:, place, 1] = spans[:, cell, 1]
        return cuts
