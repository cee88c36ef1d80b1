"""Where the rows of a text table begin and end, and where its cells are.

All places are numbers of bytes, so every encoding that agrees with ASCII is left alone.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LF, CR = 10, 13
_BLANKS = (32, 9)


@dataclass(frozen=True)
class Rows:
    """Rows of a block of bytes.

    Attributes
    ----------
    starts, stops : arrays of int64, shape (rows,)
        Bytes of each row, without its line end.
    used : int
        Bytes of the block that whole rows take, with what lies between them.
    is_dense : bool
        Whether nothing but line ends and empty lines lies between the rows, no comments.
    """

    starts: np.ndarray
    stops: np.ndarray
    used: int
    is_dense: bool = True

    def __len__(self):
        return len(self.starts)


class RowError(ValueError):
    """Something is wrong with a row; `row` is its number in the block."""

    def __init__(self, row: int, message: str):
        super().__init__(message)
        self.row = row


def array_of(block: bytes) -> np.ndarray:
    """Return the bytes of a block as numbers."""
    return np.frombuffer(block, np.uint8)


def line_ends(content: np.ndarray) -> np.ndarray:
    """Return the places of all line feeds and carriage returns."""
    ends = content == LF
    returns = content == CR
    if returns.any():
        ends |= returns
    return np.flatnonzero(ends)


def rows_between(
    content: np.ndarray, ends: np.ndarray, *, final: bool, comments: tuple[bytes, ...]
) -> Rows:
    """Return the rows that line ends divide: lines that are neither blank nor comments.

    Parameters
    ----------
    content : array of uint8
    ends : array of int64
        Places of line ends.
    final : bool
        Whether the block is the last one, whose last line may have no end.
    comments : tuple of bytes
        What lines that are no rows begin with, after blanks.

    Returns
    -------
    Rows
    """
    used = int(ends[-1]) + 1 if len(ends) else 0
    if final and used < len(content):
        ends, used = np.append(ends, len(content)), len(content)
    starts = np.empty_like(ends)
    if len(ends):
        starts[0], starts[1:] = 0, ends[:-1] + 1
    filled = ends > starts
    starts, stops = starts[filled], ends[filled]
    inks = _first_ink(content, starts, stops)
    is_row = inks < stops
    for mark in comments:
        is_row &= ~_have_mark(content, inks, stops, mark)
    return Rows(starts[is_row], stops[is_row], used, bool(is_row.all()))


def _first_ink(content: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return where the first byte that is no blank is in each line; its stop if there is none."""
    inks = starts.copy()
    blank = np.isin(content[starts], _BLANKS)
    if blank.any():
        ink = np.append(np.flatnonzero((content != 32) & (content != 9)), len(content))
        inks[blank] = np.minimum(ink[np.searchsorted(ink, starts[blank])], stops[blank])
    return inks


def _have_mark(content, places, stops, mark: bytes) -> np.ndarray:
    """Tell which lines have a mark at a place."""
    have = places + len(mark) <= stops
    for offset, byte in enumerate(mark):
        have[have] = content[places[have] + offset] == byte
    return have


def quotes_are_plain(content: np.ndarray, quotes: np.ndarray, delimiters: tuple[int, ...]) -> bool:
    """Tell whether quotes open and close in turn, each at the edge of a cell, or are doubled.

    Then counting the quotes before a place tells whether it is inside quotes.

    Parameters
    ----------
    content : array of uint8
        Bytes of a block.
    quotes : array of int64
        Places of all quotes, ascending; at least one.
    delimiters : tuple of int
        Bytes that divide cells.

    Returns
    -------
    bool
    """
    edges = np.array([*delimiters, LF, CR, content[quotes[0]]], np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    before = content[opening[opening > 0] - 1]
    after = content[closing[closing + 1 < len(content)] + 1]
    return bool(np.isin(before, edges).all() and np.isin(after, edges).all())


def outside_quotes(places: np.ndarray, quotes: np.ndarray) -> np.ndarray:
    """Return those places that are not between an opening and a closing quote.

    Parameters
    ----------
    places, quotes : arrays of int64
        Numbers of bytes in a block, ascending; the quotes must be plain (`quotes_are_plain`).

    Returns
    -------
    array of int64
    """
    return places[np.searchsorted(quotes, places) % 2 == 0]


def texts_at(block: bytes, starts: np.ndarray, stops: np.ndarray) -> pa.Array:
    """Return the bytes [start, stop) of a block as Arrow's binary.

    Parameters
    ----------
    block : bytes
    starts, stops : arrays of int64, shape (spans,)
        Ascending; no two spans overlap.

    Returns
    -------
    pyarrow.Array
        Of ``large_binary``, one value for each span.
    """
    count = len(starts)
    if not count:
        return pa.array([], pa.large_binary())
    offsets = np.zeros(2 * count + 1, np.int64)
    offsets[:-1:2], offsets[1::2] = starts, stops
    offsets[-1:] = offsets[-2:-1]
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    pieces = pa.Array.from_buffers(pa.large_binary(), 2 * count, buffers)
    return pieces.take(pa.array(np.arange(0, 2 * count, 2)))


def inserted(block: bytes, places: np.ndarray, cells: pa.Array) -> bytes:
    """Return a block with a cell put in at each place.

    Parameters
    ----------
    block : bytes
    places : array of int64, shape (cells,)
        Numbers of the bytes before which cells are put in, ascending.
    cells : pyarrow.Array
        Texts or binary, one for each place.

    Returns
    -------
    bytes
    """
    count = len(places)
    if not count:
        return block
    offsets = np.concatenate([[0], places]).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    pieces = pa.Array.from_buffers(pa.large_binary(), count, buffers)
    nothing = pa.scalar(b"", pa.large_binary())
    joined = pc.binary_join_element_wise(pieces, cells.cast(pa.large_binary()), nothing)
    return joined.buffers()[2].to_pybytes() + block[places[-1] :]


def without(block: bytes, cuts: np.ndarray, places: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Return a block without some spans, and where places outside of them are then.

    Parameters
    ----------
    block : bytes
    cuts : array of int64, shape (spans, 2)
        Ascending, without overlap.
    places : array of int64

    Returns
    -------
    block : bytes
    places : array of int64
    """
    content = array_of(block)
    steps = np.zeros(len(content) + 1, np.int8)
    np.add.at(steps, cuts[:, 0], 1)
    np.add.at(steps, cuts[:, 1], -1)
    keep = np.cumsum(steps[:-1], dtype=np.int8) == 0
    lost = np.concatenate([[0], np.cumsum(cuts[:, 1] - cuts[:, 0])])
    return content[keep].tobytes(), places - lost[np.searchsorted(cuts[:, 1], places, "right")]


def spans_by_pattern(block: bytes, rows: Rows, cell: re.Pattern[bytes], count: int) -> np.ndarray:
    """Return the cells of all rows, the first group of a pattern.

    Parameters
    ----------
    block : bytes
    rows : Rows
    cell : re.Pattern of bytes
        Matches one cell after the other; its first group is the value.
    count : int
        Cells in each row.

    Returns
    -------
    array of int64, shape (rows, count, 2)
        Where each cell begins and ends in the block.

    Raises
    ------
    RowError
        If a row has not `count` cells.
    """
    spans = np.empty((len(rows), count, 2), np.int64)
    for number in range(len(rows)):
        start = int(rows.starts[number])
        row = block[start : int(rows.stops[number])]
        cells = [match.span(1) for match in cell.finditer(row)]
        if len(cells) != count:
            raise RowError(number, f"{len(cells)} values instead of {count}")
        spans[number] = np.array(cells, np.int64) + start
    return spans


def checked_shape(places: np.ndarray, rows: Rows, count: int) -> np.ndarray:
    """Return places as an array with as many in each row.

    Parameters
    ----------
    places : array of int64
        Numbers of the bytes that divide cells, ascending.
    rows : Rows
    count : int
        How many each row must have: one less than the number of its values.

    Returns
    -------
    array of int64, shape (rows, count)

    Raises
    ------
    RowError
        If a row has another number of them.
    """
    counts = np.searchsorted(places, rows.stops) - np.searchsorted(places, rows.starts)
    wrong = np.flatnonzero(counts != count)
    if len(wrong):
        raise RowError(int(wrong[0]), f"{counts[wrong[0]] + 1} values instead of {count + 1}")
    return places.reshape(len(rows), count)


def some_rows(block: bytes, rows: Rows, keep: np.ndarray) -> bytes:
    """Return a block without some of its rows and their line ends.

    Parameters
    ----------
    block : bytes
    rows : Rows
    keep : array of bool, shape (rows,)

    Returns
    -------
    bytes
    """
    pieces, place = [], 0
    for row in np.flatnonzero(~keep).tolist():
        stop = int(rows.stops[row])
        end = stop + (2 if block[stop : stop + 2] == b"\r\n" else block[stop : stop + 1] in b"\r\n")
        pieces.append(block[place : int(rows.starts[row])])
        place = min(int(end), len(block))
    return b"".join([*pieces, block[place:]])
