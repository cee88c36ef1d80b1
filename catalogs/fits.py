"""FITS tables: read positions, and write the file again with columns added.

The output is the input's bytes with one extension changed: a few header cards, and new bytes at
the end of each row. Nothing else is parsed, so nothing else can change.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from astropy.io import fits

from catalogs._fits_ascii import AsciiColumn, added_bytes, ascii_cells
from catalogs._fits_bytes import copy_bytes, update_checksums
from catalogs._fits_exact import kind_of_column, values_of_column
from catalogs._fits_header import BLOCK, PROVENANCE, Cards
from catalogs._fits_plus import Changes, is_fits_plus, updated_primary
from catalogs._fits_rows import write_rows
from catalogs._fits_table import WHOLE, BinaryColumn, FitsTable, check_row_by_row
from catalogs.blocks import BLOCK_ROWS
from catalogs.columns import AddedColumn, already_there, check_free, column_number, shifted
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, Wanted
from catalogs.fits_headers import UNREADABLE, check_headers
from catalogs.hashes import file_sha256
from catalogs.packed import plain_file, written_packed
from catalogs.positions import (
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    has_positions,
    read_positions,
    says_no_unit,
)
from catalogs.text.values import ValueTextError

_MOST_COLUMNS = 999


class FitsCatalog:
    """A catalog in a FITS binary table; see `catalogs.Catalog`."""

    format = "fits"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        self.path = path
        self._file = plain_file(path, self)
        tables, self._plus = _tables(path, self._file)
        options = {"ra": ra, "dec": dec, "unit": position_unit}
        self._tables = _chosen(path, tables, table, options)
        self._table = self._tables[0]
        for chosen in self._tables:
            self._header(chosen)
        check_row_by_row(self._table, path)
        self.row_count = sum(chosen.rows for chosen in self._tables)
        self.column_names = tuple(column.name for column in self._table.columns)
        infos = self._table.infos()
        self.position_columns: PositionColumns = find_positions(
            infos, str(path), **options, sample=Sample(self, 0, self.row_count)
        )
        for name in (self.position_columns.ra, self.position_columns.dec):
            self._column(name)
        if position_unit is None and says_no_unit(self.position_columns, infos):
            first = self.read_positions(0, min(self.row_count, 10_000))
            check_not_radians(first, self.position_columns, str(path))

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self.read_columns((name,), start, stop)[0]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        columns = [self._column(name) for name in names]
        for column in columns:
            if column.dtype is None and not column.is_logical:
                raise InputError(f"{self.path}: {column.name} is not one real number a row")
        rows = self._rows(start, stop)
        with self._naming_file():
            return [column.to_float(rows) for column in columns]

    @contextmanager
    def _naming_file(self) -> Iterator[None]:
        """Name the file in the error of a value that cannot be read."""
        try:
            yield
        except ValueTextError as error:
            raise InputError(f"{self.path}: {error}; correct it") from error

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; see `catalogs.Catalog`."""
        column = self._column(name)
        if isinstance(column, AsciiColumn):
            return ColumnKind(column.kind)
        return kind_of_column(column, self.path)

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        rows, values = self._rows(start, stop), []
        for name, number in wanted:
            column = self._column(name)
            if isinstance(column, AsciiColumn):
                with self._naming_file():
                    values.append(column.exact_values(rows))
            else:
                values.append(values_of_column(column, number, rows))
        return values

    def _column(self, name: str) -> BinaryColumn | AsciiColumn:
        """Return the one column of that name."""
        columns = self._table.columns
        return columns[column_number(name, [column.name for column in columns], self.path)]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns for which there is no room; see `catalogs.Catalog`."""
        if not overwrite_columns:
            check_free(columns, self.column_names, self.path)
        replaced = already_there(columns, self.column_names)
        if len(self.column_names) - len(replaced) + len(columns) > _MOST_COLUMNS:
            raise InputError(
                f"{self.path}: a FITS table has room for {_MOST_COLUMNS} columns only; leave some "
                "out, or use Parquet"
            )

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row; see `catalogs.Catalog`."""
        details = []
        for column in self._table.columns:
            form = column.form.strip()
            if isinstance(column, AsciiColumn):
                kind = column.kind
            elif form.lstrip("0123456789")[:1] == "A" and column.width:
                kind = "text"
            elif column.is_logical:
                kind = "logical"
            elif column.dtype is None:
                continue
            elif form.removeprefix("1")[0] in WHOLE and column.scale == 1:
                kind = "integer"
            else:
                kind = "number"
            details.append(ColumnDetail(column.name, kind, column.unit or ""))
        return details

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        column = self._column(detail.name)
        table = self._rows(0, self.row_count)
        if isinstance(column, AsciiColumn):
            with self._naming_file():
                return column.exact(table[rows], detail.kind)
        raw = np.ascontiguousarray(table[rows, column.offset : column.offset + column.width])
        if detail.kind == "text":
            texts = raw.view(f"S{column.width}")[:, 0]
            return [text.decode("utf-8", "replace").rstrip(" ") for text in texts.tolist()]
        stored = raw.view(column.dtype or "V")[:, 0].tolist()
        zero = int(column.zero)
        return [None if value == column.null else value + zero for value in stored]

    def provenance(self) -> dict[str, str]:
        """Return what the header says of our columns, by the keys of `write_annotated`."""
        header = fits.Header.fromstring(
            self._header(self._table).to_bytes().decode("ascii", "replace")
        )
        values = {name: header.get(keyword) for name, (keyword, _) in PROVENANCE.items()}
        return {name: unquote(str(value)) for name, value in values.items() if value is not None}

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
        dropped = set(already_there(columns, self.column_names))
        old_columns = [column for column in self._table.columns if column.name not in dropped]
        with written_packed(output) as partial:
            with open(self._file, "rb") as source, open(partial, "w+b") as target:
                self._write_before(source, target, dropped, columns, provenance)
                first, place = 0, self._table.header_start
                for table in self._tables:
                    copy_bytes(source, target, place, table.header_start)
                    cards = self._cards(table, old_columns, columns, provenance)
                    new = shifted(values, first)
                    self._write_table(source, target, table, cards, old_columns, columns, new)
                    first, place = first + table.rows, table.end
                copy_bytes(source, target, place, None)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        tables = [(table, self._header(table)) for table in self._tables]
        write_rows(self._file, tables, self._rows_of, keep, output)

    def _write_before(self, source, target, dropped, columns, provenance):
        """Copy the bytes before the table; update a VOTable among them that describes it."""
        plus = self._plus
        if plus is None:
            copy_bytes(source, target, 0, self._table.header_start)
            return
        header = source.read(plus.data_start)
        data = source.read(plus.data_bytes)
        changes = Changes(self.column_names, dropped, columns, provenance)
        target.write(updated_primary(header, data, self._table.number, changes))
        copy_bytes(source, target, plus.end, self._table.header_start)

    def _rows(self, start: int, stop: int) -> np.ndarray:
        """Bytes of rows [start, stop), shape (rows, bytes a row)."""
        pieces, first = [], 0
        for table in self._tables:
            low, high = max(start - first, 0), min(stop - first, table.rows)
            if low < high:
                pieces.append(self._rows_of(table, low, high))
            first += table.rows
        if not pieces:
            return np.empty((0, self._table.row_bytes), np.uint8)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _rows_of(self, table: FitsTable, start: int, stop: int) -> np.ndarray:
        """Bytes of rows [start, stop) of one table."""
        offset = table.data_start + start * table.row_bytes
        return np.memmap(self._file, np.uint8, "r", offset, (stop - start, table.row_bytes))

    def _header(self, table: FitsTable) -> Cards:
        """Return a table's header as it stands in the file, or refuse one that is damaged."""
        try:
            with open(self._file, "rb") as file:
                file.seek(table.header_start)
                return Cards(file.read(table.data_start - table.header_start))
        except ValueError as error:
            raise InputError(f"{self.path}: not a readable FITS file ({error})") from error

    def _cards(self, table: FitsTable, old_columns, columns, provenance) -> Cards:
        """Edit the header: `columns` added, and only `old_columns` of the others."""
        cards = self._header(table)
        for number in range(len(table.columns), 0, -1):
            if table.columns[number - 1] not in old_columns:
                cards.drop_column(number)
        old_bytes = _row_bytes(table, old_columns)
        row_bytes = old_bytes + added_bytes(columns, is_ascii=table.is_ascii)
        cards.set("NAXIS1", row_bytes)
        cards.set("TFIELDS", len(old_columns) + len(columns))
        if table.heap_offset is not None:
            gap = table.heap_offset - table.row_bytes * table.rows
            cards.set("THEAP", row_bytes * table.rows + gap)
        if table.is_ascii:
            for number, place in enumerate(_places(table, old_columns), 1):
                cards.set(f"TBCOL{number}", place + 1)
        start = old_bytes if table.is_ascii else None
        cards.add_columns(columns, len(old_columns) + 1, ascii_start=start)
        cards.set_provenance(provenance)
        return cards

    def _write_table(self, source, target, table, cards, old_columns, columns, values):
        """Write header, rows, heap and padding; and the checksums if there were any."""
        start = target.tell()
        target.write(cards.to_bytes())
        data_start = target.tell()
        cells = ascii_cells if table.is_ascii else _binary_cells
        for first in range(0, table.rows, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, table.rows)
            old = self._rows_of(table, first, last)
            parts = [old[:, a:b] for a, b in _slices(table, old_columns)]
            parts += [
                cells(column, value)
                for column, value in zip(columns, values(first, last), strict=True)
            ]
            target.write(np.concatenate(parts, axis=1))
        copy_bytes(source, target, table.heap_start, table.heap_end)
        padding = b" " if table.is_ascii else b"\0"
        target.write(padding * (-(target.tell() - data_start) % BLOCK))
        update_checksums(target, cards, start, data_start)
        target.seek(0, 2)


def _binary_cells(column: AddedColumn, values: np.ndarray) -> np.ndarray:
    """Return values as the bytes of a binary table: uint8, shape (rows, bytes of the column)."""
    new = np.ascontiguousarray(values).astype(f">{column.dtype}")
    return new.view(np.uint8).reshape(len(new), -1)


def _slices(table: FitsTable, old_columns) -> list[tuple[int, int]]:
    """Return the bytes of a row that are written again; in ASCII with the blanks before them."""
    if len(old_columns) == len(table.columns):
        return [(0, table.row_bytes)]
    if not table.is_ascii:
        return [(column.offset, column.offset + column.width) for column in old_columns]
    ends = sorted(column.offset + column.width for column in table.columns)
    before = [
        max((end for end in ends if end <= column.offset), default=0) for column in old_columns
    ]
    return [(low, c.offset + c.width) for low, c in zip(before, old_columns, strict=True)]


def _row_bytes(table: FitsTable, old_columns) -> int:
    return sum(high - low for low, high in _slices(table, old_columns))


def _places(table: FitsTable, old_columns) -> list[int]:
    """Return where the columns of an ASCII table begin in the rows that are written."""
    if len(old_columns) == len(table.columns):
        return [column.offset for column in old_columns]
    slices = _slices(table, old_columns)
    ends = np.cumsum([high - low for low, high in slices]).tolist()
    return [end - column.width for end, column in zip(ends, old_columns, strict=True)]


@dataclass(frozen=True)
class _Primary:
    """Where the data of a primary HDU that is FITS-plus begin and end, in bytes of the file."""

    data_start: int
    data_bytes: int
    end: int


def _fits_plus(hdu) -> _Primary | None:
    """Tell where the primary HDU keeps a VOTable that describes the tables, if it does."""
    if not is_fits_plus(hdu.header):
        return None
    place = hdu.fileinfo()
    return _Primary(place["datLoc"], hdu.header["NAXIS1"], place["datLoc"] + place["datSpan"])


def _tables(path: Path, file: Path) -> tuple[list[FitsTable], _Primary | None]:
    """Find the binary tables of a file, or raise `InputError` if it has none."""
    try:
        check_headers(file)
        with warnings.catch_warnings(action="ignore"), fits.open(file, memmap=True) as hdus:
            tables, in_tiles = [], False
            for number, hdu in enumerate(hdus):
                compressed = hdu.header.get("ZIMAGE") or hdu.header.get("ZTABLE")
                in_tiles |= bool(hdu.header.get("ZTABLE"))
                header_only = hdu.name == "LDAC_IMHEAD"
                kind = hdu.header.get("XTENSION")
                if kind in ("BINTABLE", "TABLE") and not (compressed or header_only):
                    tables.append(FitsTable(number, hdu))
            _check_whole(path, file, hdus, tables)
            primary = _fits_plus(hdus[0])
    except UNREADABLE as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a readable FITS file ({reason})") from error
    if in_tiles and not any(has_positions(table.infos(), {}) for table in tables):
        raise InputError(
            f"{path}: its table is compressed in tiles (ZTABLE), which is not read; unpack it: "
            f"funpack -O {path.stem}_unpacked.fits {path.name}"
        )
    if not tables:
        raise InputError(f"{path}: no FITS binary table in it")
    return tables, primary


def _check_whole(path, file, hdus, tables):
    """Compare the size that the headers promise with the size on disk.

    The padding of the last block may be missing, the bytes of a table may not; nor may what
    follows the last extension be the beginning of another.
    """
    size, last = file.stat().st_size, hdus[-1].fileinfo()
    end = last["datLoc"] + last["datSpan"]
    needed = max([end - BLOCK + 1, *(table.heap_end for table in tables)])
    if size < needed:
        raise InputError(f"{path}: truncated, {size} of {needed} bytes; fetch it again")
    with open(file, "rb") as opened:
        opened.seek(end)
        if opened.read(8) == b"XTENSION":
            raise InputError(
                f"{path}: truncated in the header after {hdus[-1].name}; fetch it again"
            )


def _chosen(path, tables: list[FitsTable], table, options) -> list[FitsTable]:
    """Pick the table by name or number, the only one with positions, or one for each chip."""
    if table is not None:
        wanted = str(table).strip().upper()
        named = [t for t in tables if wanted in (str(t.number), t.name.upper())]
        if len(named) != 1:
            labels = ", ".join(t.label for t in tables)
            raise InputError(f"{path}: no single table {table!r}; there are {labels}")
        return named
    if len(tables) == 1:
        return tables
    usable = []
    for candidate in tables:
        if has_positions(candidate.infos(), options):
            usable.append(candidate)
    if len(usable) != 1 and not _are_chips(usable):
        labels = ", ".join(t.label for t in usable or tables)
        count = "several tables" if usable else "no table"
        raise InputError(f"{path}: {count} with positions; choose with --table: {labels}")
    return usable


def _are_chips(tables: list[FitsTable]) -> bool:
    """Tell whether these are SourceExtractor's tables of the chips of one exposure, all alike."""
    return len(tables) > 1 and all(
        table.name == "LDAC_OBJECTS" and table.columns == tables[0].columns for table in tables
    )
