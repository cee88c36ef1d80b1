"""CSV and TSV: each row is the input's bytes, with our values at its end.

Delimiter, quotes, comments, line ends, encoding and the text of all other cells stay as they are.
A file beside the output describes our columns; see `catalogs.text.described`.
"""

import csv
import io
import re
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.formats import Content
from catalogs.text.catalog import TextCatalog
from catalogs.text.described import Described
from catalogs.text.layout import Block, Layout, TextColumn
from catalogs.text.rows import RowError, Rows
from catalogs.text.syntax import Delimited
from catalogs.text.values import NULLS, decoded

_BOM = b"\xef\xbb\xbf"
_ENCODINGS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""What texts in other encodings begin with."""

_SEPARATOR = re.compile(rb'"?sep=([,;|\t])"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)
"""The line by which a table tells spreadsheets its delimiter."""

_DELIMITERS = (b",", b"\t", b";", b"|")
_LOOKED_AT = 100
"""Rows from which the delimiter is told."""

_SURELY_WHOLE = 1 << 15
"""Bytes of a beginning that is a whole file: of longer files twice as many are looked at."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_DASHES = re.compile(r"-+")
_RDB_TYPE = re.compile(r"\d*[NSM]")
_COMMENT = re.compile(rb"^[ \t]*#[^\r\n]*", re.MULTILINE)
_KEEP_APART = re.compile(r"\d,\d")


def looks_like_csv(content: Content) -> bool:
    """Tell whether a text has cells between commas, semicolons or bars."""
    return _recognised(content, (b",", b";", b"|"))


def looks_like_tsv(content: Content) -> bool:
    """Tell whether a text has cells between tabs."""
    return _recognised(content, (b"\t",))


def _recognised(content: Content, delimiters: tuple[bytes, ...]) -> bool:
    beginning = content.beginning
    for mark, encoding in _ENCODINGS.items():
        if beginning.startswith(mark):
            raise InputError(
                f"{content.path}: text in {encoding}; convert it: iconv -f {encoding} -t UTF-8 "
                f"{content.path.name} > utf8_{content.path.name}"
            )
    if b"\0" in beginning:
        return False
    if match := _SEPARATOR.match(beginning):
        return match[1] in delimiters
    syntax = _sniffed(beginning, _DELIMITERS, whole=False)
    if syntax is None or syntax.delimiter not in delimiters:
        return False
    if b"#" not in beginning[:1]:
        return True
    from catalogs.ascii import count_between_blanks

    blanks = count_between_blanks(beginning, whole=len(beginning) < _SURELY_WHOLE)
    return len(_first_rows(beginning, syntax, whole=False)[0]) >= blanks


def _sniffed(content: bytes, delimiters: tuple[bytes, ...], *, whole: bool) -> Delimited | None:
    """Return the syntax with which most of the first rows have as many cells as the very first."""
    best: tuple[float, int, bool, Delimited] | None = None
    for delimiter in delimiters:
        for quote in (b'"', b"'") if b"'" in content else (b'"',):
            syntax = Delimited(delimiter, quote)
            rows = _first_rows(content, syntax, whole=whole)
            counts = [len(row) for row in rows]
            usual = counts[0] if counts else 0
            score = counts.count(usual) / len(counts) if counts else 0
            quoted = bool(rows) and all(cell[:1] == cell[-1:] == quote for cell in rows[0])
            rank = (score, usual, quoted)
            if usual > 1 and score > 0.5 and (best is None or rank > best[:3]):
                best = (*rank, syntax)
    return None if best is None else best[3]


def _first_rows(content: bytes, syntax: Delimited, *, whole: bool) -> list[list[bytes]]:
    """Return the cells of the first rows, quotes and all."""
    rows = _begun(content, syntax, whole=whole)
    if not len(rows) and content:
        rows = syntax.split(content + b"\n", final=False)
    spans = zip(rows.starts[:_LOOKED_AT].tolist(), rows.stops[:_LOOKED_AT].tolist(), strict=True)
    return [syntax.cell_pattern.findall(content[start:stop]) for start, stop in spans]


def _begun(content: bytes, syntax: Delimited, *, whole: bool) -> Rows:
    """Return the rows of the beginning of a file, up to a quote that is not closed."""
    try:
        return syntax.split(content, final=whole)
    except RowError:
        return syntax.split(content, final=False)


class CsvCatalog(Described, TextCatalog):
    """A catalog in comma-separated values; see `catalogs.Catalog`."""

    format = "csv"
    delimiters: tuple[bytes, ...] = (b",", b";", b"|")

    def __init__(self, path: Path, **options: str | None):
        self._rows_in_comments = 0
        super().__init__(path, **options)
        if self._rows_in_comments and not self.row_count:
            raise InputError(
                f"{path}: all its rows begin with #, which marks comments; put the first value of "
                "each row in quotes"
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is doubtful about the table."""
        if not self._rows_in_comments:
            return ()
        return (
            f"{self._rows_in_comments} lines that begin with # have as many values as the rows; "
            "they are taken for comments and get no values of ours: if they are rows, put their "
            "first value in quotes",
        )

    def _check_rows(self, block: Block, content: bytes, rows: Rows):
        """Count the comments that could be rows."""
        if rows.is_dense:
            return
        for match in _COMMENT.finditer(content):
            after = np.searchsorted(rows.stops, match.start(), "right")
            in_row = after < len(rows) and rows.starts[after] <= match.start()
            cells = self._layout.extra["syntax"].cell_pattern.findall(match[0])
            self._rows_in_comments += not in_row and len(cells) == self._layout.cell_count

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Find the delimiter and the line of names."""
        start = len(_BOM) if content.startswith(_BOM) else 0
        separator = _SEPARATOR.match(content, start)
        start = separator.end() if separator else start
        content = content[start:]
        delimiters = (separator[1],) if separator else self.delimiters
        syntax = _sniffed(content, delimiters, whole=whole)
        if syntax is None:
            raise ValueError("no delimiter divides its lines into the same number of values")
        rows = _begun(content, syntax, whole=whole)
        if syntax.delimiter == b"|" and content.lstrip().startswith(b"|"):
            raise ValueError(
                "bars around each line, which is not read; convert it with astropy: "
                "Table.read(FILE, format='ascii.fixed_width').write('table.ecsv')"
            )
        header = _find_header(content, rows, syntax)
        names, units = header.names(content, syntax)
        columns = tuple(TextColumn(*pair) for pair in zip(names, units, strict=True))
        data = header.spans[-1][1] if header.spans else 0
        sample = content[data : data + 20_000]
        comma = (
            syntax.delimiter != b","
            and _KEEP_APART.search(decoded(sample)) is not None
            and re.search(rb"\d\.\d", sample) is None
        )
        spans = [(first + start, last + start) for first, last in header.spans]
        extra = {"spans": spans, "syntax": syntax}
        return Layout(columns, syntax, start + data, comma, bool(spans), extra)

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Add names to the line of names, and to those of units or dashes below it."""
        syntax: Delimited = self._layout.extra["syntax"]
        with open(self._file, "rb") as file:
            content = file.read(self._layout.data_start)
        pieces, place = [], 0
        for first, last in self._layout.extra["spans"]:
            cells = syntax.cell_pattern.findall(content[first:last])
            remaining = [cell for number, cell in enumerate(cells) if number not in dropped]
            added = [_header_cell(cells, column, syntax) for column in columns]
            pieces += [content[place:first], syntax.delimiter.join([*remaining, *added])]
            place = last
        return b"".join([*pieces, content[place:]])


class TsvCatalog(CsvCatalog):
    """A catalog in tab-separated values, such as VizieR's; see `catalogs.Catalog`."""

    format = "tsv"
    delimiters = (b"\t",)


class _Header:
    """The lines that name the columns: where they are, and the content of the first."""

    def __init__(self, spans: list[tuple[int, int]], count: int = 0):
        self.spans, self.count = spans, count

    def names(self, content: bytes, syntax: Delimited) -> tuple[list[str], list[str]]:
        """Return the names and the units of the columns."""
        if not self.spans:
            return [f"col{number}" for number in range(1, self.count + 1)], [""] * self.count
        names, *others = [_plain(content[first:last], syntax) for first, last in self.spans]
        units = [""] * len(names)
        if len(others) > 1 and len(others[0]) == len(names):
            units = others[0]
        return names, units


def _find_header(content: bytes, rows: Rows, syntax: Delimited) -> _Header:
    """Find the lines of names: the first one, or the last comment before it; perhaps none."""
    spans = list(zip(rows.starts[:3].tolist(), rows.stops[:3].tolist(), strict=True))
    if not spans:
        raise ValueError("it has no lines but comments")
    first = _plain(content[slice(*spans[0])], syntax)
    if holds_data(first):
        before = content[: spans[0][0]].rstrip(b"\r\n")
        begin = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
        mark = re.match(rb"[ \t]*#+[ ]*", before[begin:])
        if mark and len(_plain(before[begin + mark.end() :], syntax)) == len(first):
            return _Header([(begin + mark.end(), len(before))])
        return _Header([], len(first))
    below = [_plain(content[slice(*span)], syntax) for span in spans[1:]]
    if len(below) > 1 and all(map(_DASHES.fullmatch, below[1])):
        return _Header(spans)
    if below and (all(map(_DASHES.fullmatch, below[0])) or all(map(_RDB_TYPE.fullmatch, below[0]))):
        return _Header(spans[:2])
    return _Header(spans[:1])


def holds_data(cells: list[str]) -> bool:
    """Tell whether the first line holds values and not names."""
    filled = [cell for cell in cells if cell.lower() not in NULLS]
    numbers = [cell for cell in filled if _NUMBER.fullmatch(cell)]
    return bool(numbers) and (
        len(numbers) == len(filled) or any(set(cell) & set(".eE") for cell in numbers)
    )


def _plain(line: bytes, syntax: Delimited) -> list[str]:
    """Return the cells of a line as text."""
    quoting = {"quotechar": syntax.quote.decode()} if syntax.quote else {"quoting": csv.QUOTE_NONE}
    text = io.StringIO(decoded(line), newline="")
    reader = csv.reader(text, delimiter=syntax.delimiter.decode(), **quoting)
    return [cell.strip() for cell in next(reader, [])]


def _header_cell(cells: list[bytes], column, syntax: Delimited) -> bytes:
    """Return what a new column gets in a line of the header, in the manner of its other cells."""
    plain = [cell.strip().strip(syntax.quote or b'"') for cell in cells]
    if all(map(re.compile(rb"-+").fullmatch, plain)):
        return b"-" * len(column.name)
    if all(map(re.compile(rb"\d*[NSM]").fullmatch, plain)):
        return b"N"
    if syntax.quote == b"'" and all(cell[:1] == cell[-1:] == b"'" for cell in cells):
        return b"'%b'" % column.name.encode()  # only the header shows that these are quotes
    return column.name.encode()
