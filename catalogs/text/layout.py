"""How a file of text is written: its columns, how its rows are divided, where they begin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from catalogs.text.syntax import Blanks, Delimited, Fixed


@dataclass(frozen=True)
class TextColumn:
    """One column.

    Attributes
    ----------
    name : str
    unit, description : str
        Empty where the table says none.
    size : int, optional
        Cells of a vector column; None: one value a row.
    """

    name: str
    unit: str = ""
    description: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Layout:
    """How a file is written.

    Attributes
    ----------
    columns : tuple of TextColumn
    syntax : Delimited, Blanks or Fixed
    data_start : int
        The byte that the rows begin at; before it is the header.
    decimal_comma : bool
        Whether a comma stands for the decimal point.
    has_names : bool
        Whether the file names its columns; otherwise they are ``col1``, ``col2``, ...
    extra : mapping
        What else the format needs to write the header again.
    """

    columns: tuple[TextColumn, ...]
    syntax: Delimited | Blanks | Fixed
    data_start: int
    decimal_comma: bool = False
    has_names: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def firsts(self) -> tuple[int, ...]:
        """Number of the first cell of each column, and of all cells at the end."""
        sizes = [1 if column.size is None else column.size for column in self.columns]
        return tuple(int(first) for first in np.concatenate([[0], np.cumsum(sizes)]))

    @property
    def cell_count(self) -> int:
        """Return the number of cells in a row."""
        return self.firsts[-1]


class Block(NamedTuple):
    """Where a block of rows is in the file: bytes [start, stop), and its first row."""

    start: int
    stop: int
    first: int
    rows: int
