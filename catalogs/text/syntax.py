"""How rows of text are divided into cells: by a delimiter, by blanks, or at fixed places."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv

from catalogs.text.rows import (
    RowError,
    Rows,
    array_of,
    checked_shape,
    line_ends,
    outside_quotes,
    quotes_are_plain,
    rows_between,
    spans_by_pattern,
    texts_at,
)

UNCLOSED = "a quote is not closed"
"""What is wrong with a row that has no end."""


@dataclass(frozen=True)
class Delimited:
    """Cells between delimiters, in quotes where they hold one: CSV, TSV, SKYCAT.

    Attributes
    ----------
    delimiter : bytes
        One byte.
    quote : bytes
        One byte, doubled inside of quotes; empty: none.
    comments : tuple of bytes
        What lines that are no rows begin with.
    """

    delimiter: bytes
    quote: bytes = b'"'
    comments: tuple[bytes, ...] = (b"#",)

    def split(self, block: bytes, *, final: bool) -> Rows:
        """Return the rows of a block; not the last one, unless it is whole or the block is final.

        Parameters
        ----------
        block : bytes
        final : bool
            Whether the block is the last one, whose last line may have no end.

        Returns
        -------
        Rows

        Raises
        ------
        RowError
            If a quote is not closed.
        """
        content, ends = array_of(block), None
        quotes = self._quotes(content)
        if not len(quotes):
            ends = line_ends(content)
        elif quotes_are_plain(content, quotes, (self.delimiter[0],)):
            if len(quotes) % 2 == 0:
                ends = outside_quotes(line_ends(content), quotes)
            elif not final:  # the block ends inside of quotes: leave that row to the next one
                before = outside_quotes(line_ends(content[: quotes[-1]]), quotes)
                if len(before):
                    part = content[: before[-1] + 1]
                    return rows_between(part, before, final=False, comments=self.comments)
        if ends is None:
            return self._split_by_pattern(block, final)
        return rows_between(content, ends, final=final, comments=self.comments)

    def _quotes(self, content: np.ndarray) -> np.ndarray:
        """Return the places of all quotes."""
        return np.flatnonzero(content == self.quote[0]) if self.quote else np.empty(0, np.int64)

    @cached_property
    def _cell(self) -> bytes:
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        if not quote:
            return rb"[^%b\r\n]*+" % delimiter
        rest = rb"[^%b\r\n]*+" % delimiter
        return rb"(?:%b(?:[^%b]++|%b%b)*+%b%b|(?!%b)%b)" % (
            *(quote,) * 5, rest, quote, rest
        )  # fmt: skip

    @cached_property
    def _line(self) -> re.Pattern[bytes]:
        marks = rb"|".join(re.escape(mark) for mark in self.comments) or rb"(?!)"
        row = rb"%b(?:%b%b)*+" % (self._cell, re.escape(self.delimiter), self._cell)
        return re.compile(rb"([ \t]*(?:%b)[^\r\n]*+|(%b))(?:\r\n|\r|\n|\Z)" % (marks, row))

    @cached_property
    def cell_pattern(self) -> re.Pattern[bytes]:
        """Find the cells of one row, one after another."""
        return re.compile(rb"(?:\A|%b)(%b)" % (re.escape(self.delimiter), self._cell))

    def _split_by_pattern(self, block: bytes, final: bool) -> Rows:
        """Find rows line by line: slower, whatever the quotes are."""
        spans, place, is_dense = [], 0, True
        while place < len(block) and (match := self._line.match(block, place)):
            if not final and match.end() == len(block) and block[-1:] not in b"\r\n":
                break
            if match[2] is None:
                is_dense = False
            elif match[2].strip(b" \t" if self.delimiter != b"\t" else b" "):
                spans.append(match.span(2))
            else:
                is_dense = is_dense and not match[2]
            place = match.end()
        if final and place < len(block):
            raise RowError(len(spans), UNCLOSED)
        starts, stops = np.array(spans, np.int64).reshape(-1, 2).T
        return Rows(starts, stops, place, is_dense)

    def spans(self, block: bytes, rows: Rows, count: int) -> np.ndarray:
        """Return the places of all cells.

        Parameters
        ----------
        block : bytes
        rows : Rows
        count : int
            Cells in each row.

        Returns
        -------
        array of int64, shape (rows, count, 2)
            Where each cell begins and ends in the block, quotes included.

        Raises
        ------
        RowError
            If a row has not `count` cells.
        """
        content = array_of(block)
        quotes = self._quotes(content)
        if len(quotes) and not (
            rows.is_dense and quotes_are_plain(content, quotes, (self.delimiter[0],))
        ):
            return spans_by_pattern(block, rows, self.cell_pattern, count)
        places = np.flatnonzero(content == self.delimiter[0])
        places = outside_quotes(places, quotes) if len(quotes) else places
        if not rows.is_dense:
            row = np.searchsorted(rows.stops, places, "right")
            inside = row < len(rows)
            inside[inside] = rows.starts[row[inside]] <= places[inside]
            places = places[inside]
        places = checked_shape(places[: np.searchsorted(places, rows.used)], rows, count - 1)
        return np.stack(
            [
                np.column_stack([rows.starts, places + 1]),
                np.column_stack([places, rows.stops]),
            ],
            axis=2,
        )

    def texts(self, block: bytes, rows: Rows, count: int, numbers: tuple[int, ...]) -> list:
        """Return columns as Arrow's binary arrays, without quotes; pyarrow parses them.

        Parameters
        ----------
        block : bytes
        rows : Rows
        count : int
            Cells in each row.
        numbers : tuple of int
            Which cells are returned, from 0.

        Returns
        -------
        list of pyarrow.Array
            Of ``large_binary``, a value for each row, in the order of `numbers`.

        Raises
        ------
        RowError
            If a row has not `count` cells, or quotes are in the middle of values.
        """
        if not len(rows):
            return [pa.array([], pa.large_binary()) for _ in numbers]
        content = block[int(rows.starts[0]) : int(rows.stops[-1])]
        if not rows.is_dense:
            spans = zip(rows.starts.tolist(), rows.stops.tolist(), strict=True)
            content = b"\n".join(block[start:stop] for start, stop in spans)
        names = [f"f{number}" for number in range(count)]
        wanted = [names[number] for number in numbers]
        quoted = bool(self.quote) and self.quote in content
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(content),
                pa.csv.ReadOptions(
                    use_threads=False, block_size=len(content) + 1, column_names=names
                ),
                pa.csv.ParseOptions(
                    delimiter=self.delimiter.decode("latin-1"),
                    quote_char=self.quote.decode("latin-1") if quoted else False,
                    newlines_in_values=quoted,
                ),
                pa.csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(wanted, pa.large_binary()),
                    include_columns=wanted,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            self.spans(block, rows, count)  # names the row that has too many or too few
            raise RowError(0, str(error).partition("\n")[0][:200]) from error
        if table.num_rows != len(rows):
            raise RowError(0, "quotes in the middle of values; write the table anew")
        return [table.column(name).combine_chunks() for name in wanted]


class _Spanned:
    """Cells that are found by their places alone."""

    def spans(self, block: bytes, rows: Rows, count: int) -> np.ndarray:
        """Return the places of all cells; see `Delimited.spans`."""
        raise NotImplementedError

    def texts(self, block: bytes, rows: Rows, count: int, numbers: tuple[int, ...]) -> list:
        """Return columns as Arrow's binary arrays; see `Delimited.texts`."""
        spans = self.spans(block, rows, count)
        return [self._plain(texts_at(block, *spans[:, number].T)) for number in numbers]

    def _plain(self, texts: pa.Array) -> pa.Array:
        return texts


_BLANK_CELL = re.compile(rb'("(?:[^"]++|"")*+"|[^ \t]+)')


@dataclass(frozen=True)
class Blanks(_Spanned):
    """Cells between blanks: SourceExtractor's ASCII_HEAD and ASCII.

    Attributes
    ----------
    quoted : bool
        Whether double quotes hold values with blanks in them.
    comments : tuple of bytes
        What lines that are no rows begin with, after blanks.
    """

    quoted: bool = False
    comments: tuple[bytes, ...] = (b"#",)

    def split(self, block: bytes, *, final: bool) -> Rows:
        """Find the rows of a block; see `Delimited.split`."""
        content = array_of(block)
        return rows_between(content, line_ends(content), final=final, comments=self.comments)

    def spans(self, block: bytes, rows: Rows, count: int) -> np.ndarray:
        """Return the places of all cells; see `Delimited.spans`."""
        if self.quoted and b'"' in block:
            return spans_by_pattern(block, rows, _BLANK_CELL, count)
        content = array_of(block)
        ink = (content != 32) & (content != 9) & (content != 10) & (content != 13)
        edges = np.flatnonzero(np.diff(ink, prepend=False, append=False))
        starts, stops = edges[::2], edges[1::2]
        row = np.searchsorted(rows.stops, starts, "right")
        inside = row < len(rows)
        inside[inside] = rows.starts[row[inside]] <= starts[inside]
        starts, stops = starts[inside], stops[inside]
        counts = np.bincount(row[inside], minlength=len(rows))
        wrong = np.flatnonzero(counts != count)
        if len(wrong):
            raise RowError(int(wrong[0]), f"{counts[wrong[0]]} values instead of {count}")
        return np.stack([starts, stops], axis=1).reshape(len(rows), count, 2)

    def _plain(self, texts: pa.Array) -> pa.Array:
        """Remove the quotes around values."""
        if not self.quoted:
            return texts
        plain = [
            text[1:-1].replace(b'""', b'"') if re.fullmatch(rb'".*"', text) else text
            for text in texts.to_pylist()
        ]
        return pa.array(plain, pa.large_binary())


@dataclass(frozen=True)
class Fixed(_Spanned):
    """Cells at fixed places of each row: IPAC, and the machine-readable tables of AAS and CDS.

    Attributes
    ----------
    edges : tuple of (int, int)
        Bytes of a row that each cell takes; a short row ends in blanks that are not written.
    comments : tuple of bytes
    """

    edges: tuple[tuple[int, int], ...]
    comments: tuple[bytes, ...] = ()

    def split(self, block: bytes, *, final: bool) -> Rows:
        """Find the rows of a block; see `Delimited.split`."""
        content = array_of(block)
        return rows_between(content, line_ends(content), final=final, comments=self.comments)

    def spans(self, block: bytes, rows: Rows, count: int) -> np.ndarray:
        """Return the places of all cells; see `Delimited.spans`."""
        edges = np.array(self.edges, np.int64).reshape(count, 2)
        spans = rows.starts[:, None, None] + edges
        return np.minimum(spans, rows.stops[:, None, None])
