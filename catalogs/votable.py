"""VOTables: read positions, and write the file again with columns added.

The output is the input's bytes with pieces inserted: two FIELDs, PARAMs of the provenance, and two
cells in each row. All else, in this table and in others, stays as it was.
"""

import io
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.io import votable

from catalogs._votable_scan import ScannedTable, scan
from catalogs._votable_stream import decoded, encoded_stream, with_plain_stream
from catalogs._votable_text import added_fields, cut, edited, encoded, indent_before, param_text
from catalogs._whole import WholeCatalog
from catalogs.blocks import collected
from catalogs.columns import AddedColumn, already_there
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, integers, no_rows, texts
from catalogs.packed import plain_file, written_packed
from catalogs.positions import ColumnInfo, has_positions

_NUMBERS = ("unsignedByte", "short", "int", "long", "float", "double")
_LOGICAL = ("boolean", "bit")
_TEXTS = ("char", "unicodeChar")
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
)
"""What astropy's reader of VOTables raises on damaged files."""


class VotableCatalog(WholeCatalog):
    """A catalog in a table of a VOTable (TABLEDATA, BINARY or BINARY2); see `catalogs.Catalog`."""

    format = "votable"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        super().__init__(path)
        self._content = plain_file(path, self).read_bytes()
        options = {"ra": ra, "dec": dec, "unit": position_unit}
        try:
            tables = scan(self._content)
        except ValueError as error:
            raise InputError(f"{path}: not a readable VOTable ({error})") from error
        self._number = _chosen(path, tables, table, options)
        self._table = tables[self._number]
        _check_whole(path, self._table, tables)
        self._read()
        self.column_names = tuple(_name(field) for field in self._table.fields)
        self._find_positions(_infos(self._table), **options)

    def _read(self):
        """Have astropy read the data."""
        try:
            with warnings.catch_warnings(action="ignore"):
                self._stream = decoded(self._content, self._table)
                plain = with_plain_stream(self._content, self._table, self._stream)
                parsed = votable.parse(io.BytesIO(plain), table_number=self._number)
                table = parsed.get_first_table()
        except _UNREADABLE as error:
            reason = one_line(error)
            raise InputError(f"{self.path}: not a readable VOTable ({reason})") from error
        self._fields, self._array, self.row_count = table.fields, table.array, len(table.array)
        if self._table.serialization == "TABLEDATA":
            if self.row_count != len(self._table.row_ends):
                raise InputError(f"{self.path}: not a readable VOTable (rows without end)")
        else:
            for _ in self._rows(self._table.serialization == "BINARY2"):
                pass  # astropy stops at a row that is cut short, and does not say so

    def _read_numbers(self, number: int) -> np.ndarray:
        """Return a column of numbers or logical values: float64, NaN where null."""
        field = self._table.fields[number]
        if not (_is_number(field) or (field.get("datatype") in _LOGICAL and _is_scalar(field))):
            raise InputError(f"{self.path}: {_name(field)} is not one real number a row")
        if not self.row_count:
            return np.empty(0)
        column = self._array[self._array.dtype.names[number]]
        return np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)

    def _kind(self, number: int) -> ColumnKind | None:
        """Return what a column holds, by the types that astropy gave it."""
        field = self._table.fields[number]
        type_, size = field.get("datatype"), field.get("arraysize", "1").strip() or "1"
        if type_ in _TEXTS:
            return ColumnKind("text") if "x" not in size else None
        kind = "logical" if type_ in _LOGICAL else "integer"
        kind = "number" if type_ in ("float", "double") else kind
        if type_ not in (*_NUMBERS, *_LOGICAL) or "x" in size:
            return None
        return ColumnKind(kind, None if size == "1" else int(size) if size.isdecimal() else -1)

    def _read_exact(self, number: int, element: int | None) -> ExactValues:
        """Return values of a column as they are, in all rows."""
        kind = self.column_kind(self.column_names[number])
        if not self.row_count:
            return no_rows(kind)
        column = np.ma.asarray(self._array[self._array.dtype.names[number]])
        if element is not None:
            column = _element(column, element, kind)
        if kind.kind == "text":
            return texts(
                column.filled("").tolist() if column.dtype.kind == "U" else column.tolist()
            )
        missing = np.ma.getmaskarray(column)
        if kind.kind == "number":
            return ExactValues(np.ma.filled(column.astype(np.float64), np.nan))
        return integers(np.ma.getdata(column).astype(np.int64), missing)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row, by the types that astropy gave them."""
        kinds = {"i": "integer", "u": "integer", "f": "number", "b": "logical"}
        kinds |= {"U": "text", "S": "text", "O": "text"}
        details = []
        for number, name in enumerate(self.column_names):
            kind, shape = self._array.dtype[number].base.kind, self._array.dtype[number].shape
            field = self._table.fields[number]
            if kind == "O" and field.get("datatype") not in ("char", "unicodeChar"):
                continue
            if kind in kinds and not shape:
                details.append(ColumnDetail(name, kinds[kind], field.get("unit", "")))
        return details

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        name = self._array.dtype.names[self.column_names.index(detail.name)]
        values = np.ma.asarray(self._array[name])[rows].tolist()
        return [None if v is None else str(v) if detail.kind == "text" else v for v in values]

    def provenance(self) -> dict[str, str]:
        """Return what the table says of our columns, by the keys of `write_annotated`."""
        return dict(self._table.provenance)

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
        replaced = set(already_there(columns, self.column_names))
        dropped = {n for n, name in enumerate(self.column_names) if name in replaced}
        table = scan(self._content, {self._number: dropped})[self._number]
        added = collected(columns, values, 0, self.row_count)
        edits = [cut(self._content, *table.field_spans[n]) for n in dropped]
        edits += [cut(self._content, *span) for span in table.param_spans]
        edits.append((*_after(table.field_spans), self._head(table, columns, provenance)))
        if table.serialization == "TABLEDATA":
            edits += [cut(self._content, *span) for span in table.dropped_cells]
            edits += self._cells(table, added)
        elif self.row_count:
            edits.append(
                (*table.stream, encoded_stream(self._binary(table, dropped, added), table))
            )
        with written_packed(output) as partial, open(partial, "wb") as file:
            for piece in edited(self._content, edits):
                file.write(piece)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        table, content = self._table, self._content
        edits = list(_row_counts(content, table, int(np.count_nonzero(keep))))
        if table.serialization == "TABLEDATA":
            ends = [content.index(b">", place) + 1 for place in table.row_ends]
            first = content.rfind(b"<", 0, table.cell_start) if ends else 0
            tag = f"<{table.prefix}TR".encode()
            starts = [content.rfind(tag, 0, ends[0]) if ends else first, *ends[:-1]]
            spans = zip(starts, ends, keep, strict=False)
            edits += [cut(content, *span) for *span, kept in spans if not kept]
        elif self.row_count:
            binary2 = table.serialization == "BINARY2"
            rows = bytearray()
            for (nulls, cells), kept in zip(self._rows(binary2), keep, strict=True):
                if kept:
                    rows += np.packbits(nulls).tobytes() if nulls is not None else b""
                    rows += b"".join(cells)
            edits.append((*table.stream, encoded_stream(bytes(rows), table)))
        with written_packed(output) as partial, open(partial, "wb") as file:
            for piece in edited(content, edits):
                file.write(piece)

    def _head(self, table: ScannedTable, columns, provenance) -> bytes:
        """Return the new FIELDs, and PARAMs that say the provenance."""
        indent = indent_before(self._content, table.field_spans[-1][0])
        params = [
            param_text(f"lsbg.{key}", value, prefix=table.prefix)
            for key, value in provenance.items()
        ]
        new = [*added_fields(columns, table.prefix), *params]
        return encoded("".join(f"{indent}{element}" for element in new))

    def _cells(self, table: ScannedTable, added) -> Iterator[tuple[int, int, bytes]]:
        """Yield the cells that each row of a TABLEDATA gets."""
        indent = indent_before(self._content, table.cell_start)
        start, end = f"{indent}<{table.prefix}TD>", f"</{table.prefix}TD>"
        for place, *row in zip(table.row_ends, *added, strict=True):
            cells = "".join(f"{start}{_text(value)}{end}" for value in row)
            yield place, place, cells.encode("ascii")

    def _binary(self, table: ScannedTable, dropped, added) -> bytes:
        """Return the rows of a BINARY or BINARY2 with values added and dropped ones left out."""
        remaining = [n for n in range(len(table.fields)) if n not in dropped]
        bytes_of = [
            value.astype(f">{value.dtype.str[1:]}").view(f"V{value.itemsize}") for value in added
        ]
        output = bytearray()
        for row, (nulls, cells) in enumerate(self._rows(table.serialization == "BINARY2")):
            if nulls is not None:
                ours = [bool(np.isnan(value[row])) for value in added]
                output += np.packbits([*nulls[remaining], *ours]).tobytes()
            output += b"".join(cells[n] for n in remaining)
            output += b"".join(value[row].tobytes() for value in bytes_of)
        return bytes(output)

    def _rows(self, with_nulls: bool):
        """Yield which values are null, where the rows say it, and the bytes of each value."""
        count, data = len(self._fields), self._stream
        stream = io.BytesIO(data)
        for _ in range(self.row_count):
            nulls = None
            if with_nulls:
                flags = np.frombuffer(stream.read((count + 7) // 8), np.uint8)
                nulls = np.unpackbits(flags, count=count).astype(np.bool_)
            places = [stream.tell()]
            for field in self._fields:
                field.converter.binparse(stream.read)
                places.append(stream.tell())
            yield nulls, [data[a:b] for a, b in pairwise(places)]
        if stream.read(1):
            raise InputError(f"{self.path}: not a readable VOTable (bytes after its last row)")


def _name(field: Mapping[str, str]) -> str:
    return field.get("name") or field.get("ID") or ""


def _is_scalar(field: Mapping[str, str]) -> bool:
    return field.get("arraysize", "1") in ("", "1")


def _row_counts(content: bytes, table: ScannedTable, count: int):
    """Yield the edit of the attribute that says the number of rows, where there is one."""
    number = table.attributes.get("nrows")
    if number is None:
        return
    start = content.rfind(f"<{table.prefix}TABLE".encode(), 0, table.field_spans[0][0])
    match = re.compile(rb"""\bnrows\s*=\s*["']\s*(\d+)""").search(content, start)
    if match is not None and match.end() <= table.field_spans[0][0]:
        yield *match.span(1), str(count).encode()


def _element(column: np.ma.MaskedArray, element: int, kind: ColumnKind) -> np.ma.MaskedArray:
    """Return one element of each row's values, masked where there is none."""
    if column.ndim == 2:
        return column[:, element]
    values = [np.ma.asarray(row)[element] if np.size(row) > element else np.ma.masked
              for row in column]  # fmt: skip
    blank = np.array([value is np.ma.masked for value in values], np.bool_)
    data = [0 if empty else value for value, empty in zip(values, blank, strict=True)]
    return np.ma.array(data, np.float64 if kind.kind == "number" else np.int64, mask=blank)


def _is_number(field: Mapping[str, str]) -> bool:
    return field.get("datatype") in _NUMBERS and _is_scalar(field)


def _infos(table: ScannedTable) -> dict[str, ColumnInfo]:
    return {
        _name(field): ColumnInfo(
            _is_number(field),
            field.get("datatype") in _TEXTS,
            field.get("unit", "").strip() or None,
            field.get("ucd"),
        )
        for field in table.fields
    }


def _chosen(path, tables: list[ScannedTable], wanted, options) -> int:
    """Return the number of the table that is asked for, or of the only one with positions."""
    labels = [f"{n} {table.label}".rstrip() for n, table in enumerate(tables, 1)]
    if not tables:
        raise InputError(f"{path}: no TABLE in this VOTable")
    if wanted is not None:
        label = str(wanted).strip()
        named = [
            n for n, table in enumerate(tables)
            if label in (str(n + 1), table.attributes.get("name"), table.attributes.get("ID"))
        ]  # fmt: skip
        if len(named) != 1:
            raise InputError(f"{path}: no single table {wanted!r}; there are {', '.join(labels)}")
        return named[0]
    if len(tables) == 1:
        return 0
    usable = []
    for number, table in enumerate(tables):
        if has_positions(_infos(table), options):
            usable.append(number)
    if len(usable) != 1:
        count = "several tables" if usable else "no table"
        there = ", ".join(labels[n] for n in usable or range(len(tables)))
        raise InputError(f"{path}: {count} with positions; choose with --table: {there}")
    return usable[0]


def _check_whole(path, table: ScannedTable, tables: list[ScannedTable]):
    """Refuse a table whose columns or data are not its own."""
    if table.in_another_file:
        raise InputError(
            f"{path}: its data are in another file; write a VOTable that holds them: "
            f"stilts tpipe in={path.name} ofmt=votable-binary2-inline out=whole.vot"
        )
    if not table.fields:
        raise InputError(f"{path}: the table {table.label} has no columns of its own")
    identifier = table.attributes.get("ID")
    if identifier and any(other.attributes.get("ref") == identifier for other in tables):
        raise InputError(
            f"{path}: another table has the columns of {identifier} too; write each on its own"
        )


def _after(spans) -> tuple[int, int]:
    """Return the empty span after the last one."""
    return spans[-1][1], spans[-1][1]


def _text(value: np.generic) -> str:
    """Return a number as a cell holds it."""
    return "NaN" if np.isnan(value) else str(value)
