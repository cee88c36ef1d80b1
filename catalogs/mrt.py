"""Machine-readable tables of the AAS and CDS: values at places that the file itself describes.

Each row is the input's bytes, with our values at its end, and two lines more in the description
(https://journals.aas.org/mrt-standards/).
"""

import re
from collections.abc import Collection
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from catalogs.ascii import line_end
from catalogs.columns import AddedColumn
from catalogs.errors import InputError
from catalogs.formats import Content
from catalogs.text.catalog import TextCatalog
from catalogs.text.layout import Layout, TextColumn
from catalogs.text.rows import Rows
from catalogs.text.syntax import Fixed
from catalogs.text.values import TEXT_WIDTHS, decoded

_MARK = b"Byte-by-byte Description of file"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_RULE = re.compile(rb"[-=]{20,}\s*")
_COLUMN = re.compile(rb"\s*(?:(\d+)\s*-\s*)?(\d+)\s+([AIFEDL]\S*)\s+(\S+)\s+(\S+)\s*(.*?)\s*")
_FORMATS = {"f4": ("E", TEXT_WIDTHS["f4"]), "i2": ("I", TEXT_WIDTHS["i2"])}
_PROVENANCE = re.compile(rb"lsbg\.(\w+)=([^\r\n]*)")
_NONE = "---"


def looks_like_mrt(content: Content) -> bool:
    """Tell whether a text describes its own columns byte by byte."""
    return _MARK.lower() in content.beginning.lower() and b"\0" not in content.beginning


class MrtCatalog(TextCatalog):
    """A catalog in a machine-readable table of the AAS or CDS; see `catalogs.Catalog`."""

    format = "mrt"

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Read the description of the columns; the data begin after the last line of dashes."""
        begin = content.lower().find(_MARK.lower())
        if begin < 0:
            raise ValueError("it does not describe its columns byte by byte")
        columns, edges, lines = [], [], []
        rules, place, data = 0, begin, 0
        while place < len(content) and (match := _LINE.match(content, place)):
            line = match[0].rstrip(b"\r\n")
            if _RULE.fullmatch(line):
                rules, data = rules + 1, match.end()
            elif rules == 2 and (column := _COLUMN.fullmatch(line)):
                edges.append((int(column[1] or column[2]) - 1, int(column[2])))
                columns.append(_described_column(column))
                lines.append((place, match.end()))
            elif rules == 2 and columns and line.strip():
                lines[-1] = lines[-1][0], match.end()  # an explanation goes on
            place = match.end()
        if not columns or rules < 3:
            raise ValueError("its description of the columns is not whole")
        if any(after[0] < before[1] for before, after in pairwise(edges)):
            raise ValueError("its columns overlap")
        extra = {"lines": lines, "edges": edges, "width": max(stop for _, stop in edges)}
        return Layout(tuple(columns), Fixed(tuple(edges)), data, extra=extra)

    def _check_rows(self, block, content: bytes, rows: Rows):
        """Refuse rows that continue behind the last column."""
        width = self._layout.extra["width"]
        for row in (rows.stops - rows.starts > width).nonzero()[0].tolist():
            if content[int(rows.starts[row]) + width : int(rows.stops[row])].strip():
                line = self._line_at(block.start + int(rows.starts[row]))
                raise InputError(
                    f"{self.path}: line {line} goes on behind the last column that is described; "
                    "correct the description"
                )

    @property
    def _width(self) -> int:
        return max(self._longest, self._layout.extra["width"])

    def _moves(self, dropped: Collection[int]) -> list[int]:
        """Return by how many bytes each column moves to the left, and last: the end of the row."""
        edges, moves, moved = self._layout.extra["edges"], [], 0
        first_kept = next(number for number in range(len(edges)) if number not in dropped)
        for number, (start, stop) in enumerate(edges):
            moves.append(moved)
            if number in dropped and number < first_kept:
                moved += edges[number + 1][0] - start
            elif number in dropped:
                moved += stop - edges[number - 1][1]
        return [*moves, moved]

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Describe our columns after the last one, and say the provenance in their notes."""
        with open(self._file, "rb") as file:
            content = file.read(self._layout.data_start)
        moves, spans = self._moves(dropped), self._layout.extra["lines"]
        pieces, place = [], 0
        for number, (begin, stop) in enumerate(spans):
            line = b"" if number in dropped else _moved(content[begin:stop], moves[number])
            pieces += [content[place:begin], line]
            place = stop
        end = line_end(content[:place])
        lines, start = [], self._width - moves[-1] + 2
        for column in columns:
            letter, size = _FORMATS[column.dtype]
            lines.append(_description(column, start, f"{letter}{size}"))
            start += size + 1
        lines += [
            f"{'':37}lsbg.{key}={' '.join(value.split())}" for key, value in provenance.items()
        ]
        new = (line.encode("utf-8", "backslashreplace") + end for line in lines)
        return b"".join([*pieces, *new, content[place:]])

    def _cells(self, columns, values, lengths, dropped) -> pa.Array:
        """Return values at the places that the description says."""
        missing = self._width - self._moves(dropped)[-1] - lengths
        pads = [" " * size for size in range(int(missing.max()) + 1)]
        blanks = pa.array(pads, pa.large_string()).take(pa.array(missing))
        padded = [
            pc.utf8_lpad(value, _FORMATS[column.dtype][1])
            for column, value in zip(columns, values, strict=True)
        ]
        one = pa.scalar(" ", pa.large_string())
        return pc.binary_join_element_wise(blanks, *padded, one)

    def provenance(self) -> dict[str, str]:
        """Return what the notes say of our columns, by the keys of `write_annotated`."""
        with open(self._file, "rb") as file:
            header = file.read(self._layout.data_start)
        return {decoded(key): decoded(value) for key, value in _PROVENANCE.findall(header)}


def _described_column(match: re.Match[bytes]) -> TextColumn:
    """Return the column that a line describes."""
    unit = decoded(match[4])
    about = decoded(match[6]).lstrip("?")
    return TextColumn(decoded(match[5]), "" if unit == _NONE else unit, about)


def _moved(lines: bytes, move: int) -> bytes:
    """Return the lines that describe a column which moves to the left."""
    line = lines.splitlines()[0]
    match = _COLUMN.fullmatch(line)
    if match is None or not move:
        return lines
    for group in (2, 1):
        if match[group] is not None:
            first, stop = match.span(group)
            number = b"%d" % (int(match[group]) - move)
            lines = lines[:first] + number.rjust(stop - first) + lines[stop:]
    return lines


def _description(column: AddedColumn, start: int, form: str) -> str:
    """Return the line that describes a new column; the question mark says: blank where null."""
    stop = start + int(form[1:]) - 1
    unit = column.unit or _NONE
    null = "?" if column.dtype.startswith("f") else ""
    note = f"{null}{' ' * bool(null)}{column.description}"
    return f"{start:4d}-{stop:4d} {form:<6} {unit:<7} {column.name:<12} {note}"
