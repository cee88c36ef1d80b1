"""Tables of text with blanks between the values: SourceExtractor's ASCII_HEAD and ASCII.

Each row is the input's bytes, with our values at its end.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from catalogs.csv import holds_data
from catalogs.formats import Content
from catalogs.text.catalog import TextCatalog
from catalogs.text.described import Described
from catalogs.text.layout import Layout, TextColumn
from catalogs.text.rows import RowError, Rows
from catalogs.text.syntax import Blanks
from catalogs.text.values import TEXT_WIDTHS, decoded

_COLUMN = re.compile(rb"#[ \t]*(\d+)[ \t]+(\S+)[ \t]*(.*?)[ \t]*$")
_UNIT = re.compile(r"\[([^\[\]]*)\]\s*$")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_OURS = re.compile(rb"#[ \t]*lsbg\.(\w+)=([^ \r\n]*)")
_BOM = b"\xef\xbb\xbf"
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_LARGEST_SIZE = 10_000
"""Cells of the longest vector column that is taken for one."""


def looks_like_ascii_head(content: Content) -> bool:
    """Tell whether a text begins with numbered names of columns, as SourceExtractor writes them."""
    return b"\0" not in content.beginning and bool(_head_of(content.beginning))


def looks_like_ascii(content: Content) -> bool:
    """Tell whether a text has the same number of values, between blanks, in each line."""
    return b"\0" not in content.beginning and count_between_blanks(content.beginning) > 1


def count_between_blanks(beginning: bytes, *, whole: bool = False) -> int:
    """Return the number of values between blanks in each of the first lines; 0 if it varies.

    Parameters
    ----------
    beginning : bytes
    whole : bool
        Whether it is a whole file; else a last line without its end is not looked at.

    Returns
    -------
    int
    """
    if not whole:
        beginning = beginning[: max(beginning.rfind(b"\n"), beginning.rfind(b"\r")) + 1]
    rows = Blanks(quoted=True).split(beginning, final=True)
    counts = {len(_cells_of(beginning, rows, number)) for number in range(min(len(rows), 100))}
    return counts.pop() if len(counts) == 1 else 0


def _cells_of(content: bytes, rows: Rows, number: int) -> list[str]:
    """Return the values of a row as text."""
    return split_blanks(content[int(rows.starts[number]) : int(rows.stops[number])])


def split_blanks(line: bytes) -> list[str]:
    """Return the values of a line, without the quotes of those that have some."""
    values = re.findall(rb'"((?:[^"]|"")*)"|([^ \t]+)', line)
    return [decoded(quoted.replace(b'""', b'"') or plain) for quoted, plain in values]


@dataclass(frozen=True)
class _Named:
    """A numbered name in the header: where its line is, and what it says."""

    start: int
    line: bytes
    number: int
    name: str
    note: str


def _head_of(content: bytes) -> list[_Named]:
    """Return the numbered names at the beginning of a text: 1, and then ever larger numbers."""
    numbered_names: list[_Named] = []
    place = 0
    while place < len(content) and (match := _LINE.match(content, place)):
        line = match[0]
        if line.strip() and not line.startswith(b"#"):
            break
        named = _COLUMN.match(line.rstrip(b"\r\n"))
        number = int(named[1]) if named and len(named[1]) < 7 else 0
        if named and (number > numbered_names[-1].number if numbered_names else number == 1):
            numbered_names.append(_Named(place, line, number, decoded(named[2]), decoded(named[3])))
        place = match.end()
    return numbered_names


def _comment_bytes(content: bytes) -> int:
    """Return how many bytes of comments of ours a text begins with."""
    lines = re.match(rb"(?:" + _OURS.pattern + rb"(?:\r\n|\r|\n|\Z))*", content)
    return lines.end() if lines else 0


class AsciiHeadCatalog(TextCatalog):
    """A catalog as SourceExtractor writes it by default, ASCII_HEAD; see `catalogs.Catalog`."""

    format = "ascii-head"
    null = "nan"

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Read the numbered names; gaps between the numbers are vector columns."""
        head = _head_of(content)
        if not head:
            raise ValueError("it does not begin with '# 1 NAME'")
        start = head[-1].start + len(head[-1].line)
        start += _comment_bytes(content[start:])
        syntax = Blanks()
        rows = syntax.split(content[start:], final=whole)
        count = len(_cells_of(content[start:], rows, 0)) if len(rows) else head[-1].number
        numbers = [*(named.number for named in head), count + 1]
        sizes = [after - before for before, after in pairwise(numbers)]
        if not all(0 < size <= _LARGEST_SIZE for size in sizes):
            raise ValueError(
                f"its header names {head[-1].number} values a row, but the first row has {count}"
            )
        columns = tuple(map(_column, head, sizes))
        return Layout(columns, syntax, start, extra={"head": head})

    def _check_rows(self, block, content: bytes, rows: Rows):
        """Refuse rows with too many or too few values."""
        check_counts(self, block, content, rows)

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Give the columns new numbers, and add ours in the manner of the others."""
        head = self._layout.extra["head"]
        content = self._header()
        pieces, place, number = [], 0, 1
        for index, named in enumerate(head):
            pieces.append(without_ours(content[place : named.start]))
            place = named.start + len(named.line)
            if index not in dropped:
                pieces.append(_renumbered(named.line, number))
                size = self._layout.columns[index].size
                number += 1 if size is None else size
        end = line_end(head[-1].line)
        if not head[-1].line.endswith((b"\n", b"\r")):
            pieces.append(end)
        for column in columns:
            pieces.append(_like(head[0].line, number, column.name, column.description) + end)
            number += 1
        pieces += [provenance_lines(provenance, end), without_ours(content[place:])]
        return b"".join(pieces)

    def _header(self) -> bytes:
        with open(self._file, "rb") as file:
            return file.read(self._layout.data_start)

    def _cells(self, columns, values, lengths, dropped) -> pa.Array:
        return aligned(columns, values)

    def provenance(self) -> dict[str, str]:
        """Return what the comments say of our columns, by the keys of `write_annotated`."""
        with open(self._file, "rb") as file:
            return read_provenance(file.read(self._layout.data_start))


def _column(named: _Named, size: int) -> TextColumn:
    unit = _UNIT.search(named.note)
    note = named.note[: unit.start()].strip() if unit else named.note
    return TextColumn(
        named.name, unit[1].strip() if unit else "", note, None if size == 1 else size
    )


def _renumbered(line: bytes, number: int) -> bytes:
    """Return a line of the header with another number, as wide as the old one."""
    match = re.match(rb"#[ \t]*\d+", line)
    if match is None:
        raise ValueError(f"no number in {line!r}")
    return b"#" + str(number).encode().rjust(match.end() - 1) + line[match.end() :]


def _like(line: bytes, number: int, name: str, note: str) -> bytes:
    """Return a line for a new column, with its parts where they are in another line."""
    match = re.match(rb"(#[ \t]*\d+)([ \t]+)(\S+[ \t]*)", line)
    if match is None:
        raise ValueError(f"no number and name in {line!r}")
    start = b"#" + str(number).encode().rjust(len(match[1]) - 1) + match[2]
    return start + name.encode().ljust(len(match[3]) - 1) + b" " + note.encode()


def line_end(line: bytes) -> bytes:
    """Return the line end of a line; a line feed if it has none."""
    return line[len(line.rstrip(b"\r\n")) :] or b"\n"


def provenance_lines(provenance: Mapping[str, str], end: bytes) -> bytes:
    """Return comments that say where our columns come from.

    Blanks are percent-encoded: STILTS takes a comment for names if it has as many words as there
    are columns.

    Parameters
    ----------
    provenance : mapping of str to str
        As for `catalogs.Catalog.write_annotated`.
    end : bytes
        The line end of the file.

    Returns
    -------
    bytes
        A line for each entry.
    """
    return b"".join(
        f"# lsbg.{key}={quote(value, _PRINTABLE, errors='surrogateescape')}".encode() + end
        for key, value in provenance.items()
    )


def read_provenance(header: bytes) -> dict[str, str]:
    """Return what comments of `provenance_lines` say."""
    return {decoded(key): unquote(decoded(value)) for key, value in _OURS.findall(header)}


def without_ours(header: bytes) -> bytes:
    """Return a header without the comments of `provenance_lines`."""
    return re.sub(_OURS.pattern + rb"(?:\r\n|\r|\n|\Z)", b"", header)


def aligned(columns: Iterable, values: list[pa.Array], between: str = "") -> pa.Array:
    """Return cells of a row, each a blank wider than values of its type may be.

    Parameters
    ----------
    columns : iterable of AddedColumn
    values : list of pyarrow.Array
        Texts of each column, as many as there are rows.
    between : str
        What stands between two cells.

    Returns
    -------
    pyarrow.Array
        A text for each row.
    """
    padded = [
        pc.utf8_lpad(value, TEXT_WIDTHS[column.dtype] + 1)
        for column, value in zip(columns, values, strict=True)
    ]
    texts = (pa.scalar(text, pa.large_string()) for text in ("", between))
    nothing, divider = texts
    return pc.binary_join_element_wise(nothing, *padded, divider)


def check_counts(catalog: TextCatalog, block, content: bytes, rows: Rows):
    """Refuse rows that have not one value for each cell; for `TextCatalog._check_rows`.

    Parameters
    ----------
    catalog : TextCatalog
    block : block of `catalogs.text.catalog`
        Its `start` is the byte of the file where the content begins.
    content : bytes
    rows : Rows
        Those of the content.

    Raises
    ------
    InputError
        If a row has too many or too few values; it names the line.
    """
    try:
        catalog._layout.syntax.spans(content, rows, catalog._layout.cell_count)
    except RowError as error:
        raise catalog._refused(error, block.start, content, rows) from error


class AsciiCatalog(Described, AsciiHeadCatalog):
    """A catalog with values between blanks, its names in a comment, a first line or nowhere.

    Without names the columns are called ``col1``, ``col2``, ... as astropy does. The provenance is
    in a file beside the output: astropy takes the first comment for the names, STILTS the last.
    """

    format = "ascii"

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Find the line of names."""
        syntax = Blanks(quoted=True)
        start = len(_BOM) if content.startswith(_BOM) else 0
        rows = syntax.split(content[start:], final=whole)
        if not len(rows):
            raise ValueError("it has no lines but comments")
        first = int(rows.starts[0]) + start
        cells = _cells_of(content[start:], rows, 0)
        if not holds_data(cells):
            return _layout(cells, syntax, int(rows.stops[0]) + start, first)
        for begin, line in reversed(_comments(content[start:first], start)):
            words = line.lstrip(b" \t").lstrip(b"#").lstrip(b" \t")
            names = split_blanks(words.rstrip(b"\r\n"))
            if len(names) == len(cells) and not holds_data(names):
                stop = begin + len(line.rstrip(b"\r\n"))
                return _layout(names, syntax, first, begin + len(line) - len(words), stop)
        names = [f"col{number}" for number in range(1, len(cells) + 1)]
        return _layout(names, syntax, first, None)

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Add names to the line of names, if there is one."""
        content, first = self._header(), self._layout.extra["first"]
        if first is None:
            return content
        stop = self._layout.extra["stop"]
        names = content[first:stop]
        if dropped:
            cells = [match.span() for match in re.finditer(rb'"(?:[^"]|"")*"|[^ \t]+', names)]
            remaining = [n for n in range(len(cells)) if n not in dropped]
            names = b" ".join(names[slice(*cells[n])] for n in remaining)
        added = b"".join(b" " + column.name.encode() for column in columns)
        return content[:first] + names + added + content[stop:]


def _layout(names, syntax, data_start, first: int | None, stop: int | None = None) -> Layout:
    """Describe a table whose names stand at the bytes [first, stop); None: nowhere."""
    columns = tuple(map(TextColumn, names))
    extra = {"first": first, "stop": data_start if stop is None else stop}
    return Layout(columns, syntax, data_start, has_names=first is not None, extra=extra)


def _comments(content: bytes, start: int) -> list[tuple[int, bytes]]:
    """Return the comments in the beginning of a text, and where each begins."""
    comments, place = [], 0
    while place < len(content) and (match := _LINE.match(content, place)):
        if match[0].lstrip().startswith(b"#"):
            comments.append((start + place, match[0]))
        place = match.end()
    return comments
