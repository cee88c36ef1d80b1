"""IPAC tables: values at fixed places below a header of bars.

Each row is the input's bytes, with our values at its end
(https://irsa.ipac.caltech.edu/applications/DDGEN/Doc/ipac_tbl.html).
"""

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogs._fits_header import PROVENANCE
from catalogs.errors import InputError
from catalogs.formats import Content
from catalogs.text.catalog import TextCatalog
from catalogs.text.layout import Layout, TextColumn
from catalogs.text.rows import Rows
from catalogs.text.syntax import Fixed
from catalogs.text.values import TEXT_WIDTHS, decoded

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_KEYWORD = re.compile(rb"\\\s*(\w+)\s*=\s*'?([^\r\n]*?)'?\s*$")
_TYPES = {"f4": "float", "i2": "int"}
_WIDTH = max(TEXT_WIDTHS.values())
_HEAD = re.compile(rb"(?:\\[^\r\n]*[\r\n]+)*\|[^\r\n]*\|[ \t]*(?:\r\n|\r|\n)(\|[^\r\n]*)?")
_KNOWN_TYPES = {"", *"double d doub float f real r int i integer long l char c date".split()}
_KEYS = {keyword: key for key, (keyword, _) in PROVENANCE.items()}


def looks_like_ipac(content: Content) -> bool:
    r"""Tell whether a text begins with keywords after ``\`` and names between bars.

    A second line between bars must be one of types: other tables have bars too.
    """
    match = _HEAD.match(content.beginning)
    if match is None:
        return False
    types = decoded(match[1] or b"").lower().split("|")
    return all(word.strip().rstrip("[]0123456789") in _KNOWN_TYPES for word in types)


class IpacCatalog(TextCatalog):
    """A catalog in an IPAC table; see `catalogs.Catalog`."""

    format = "ipac"
    null = "null"

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Read the lines of names, types, units and nulls."""
        place = 0
        lines: list[tuple[int, int]] = []
        keywords: list[tuple[int, int]] = []
        while place < len(content) and (match := _LINE.match(content, place)):
            if match[1].startswith(b"\\"):
                keywords.append(match.span())
            elif match[1].startswith(b"|") and len(lines) < 4:
                lines.append(match.span(1))
            elif match[1].strip() or lines:
                break
            place = match.end()
        if not lines:
            raise ValueError("it has no names between bars")
        bars = [m.start() for m in re.finditer(rb"\|", content[slice(*lines[0])])]
        edges = tuple((bar + 1, after) for bar, after in pairwise(bars))
        texts = [[_cell(content, start, stop, edge) for edge in edges] for start, stop in lines]
        self.null = "null" if len(texts) == 4 else "nan"  # as no line says what null is
        units = texts[2] if len(texts) > 2 else [""] * len(edges)
        columns = tuple(map(TextColumn, texts[0], units))
        extra = {"lines": lines, "keywords": keywords, "width": bars[-1] + 1, "edges": edges}
        return Layout(columns, Fixed(edges, (b"\\",)), place, extra=extra)

    def _check_rows(self, block, content: bytes, rows: Rows):
        """Refuse rows that continue behind the last bar."""
        width = self._layout.extra["width"]
        for row in np.flatnonzero(rows.stops - rows.starts > width).tolist():
            if content[int(rows.starts[row]) + width : int(rows.stops[row])].strip():
                line = self._line_at(block.start + int(rows.starts[row]))
                raise InputError(
                    f"{self.path}: line {line} goes on behind the last bar of the header; widen "
                    "the header"
                )

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Add our names, types and nulls between bars, and keywords for the provenance."""
        with open(self._file, "rb") as file:
            content = file.read(self._layout.data_start)
        lines, pieces, place = self._layout.extra["lines"], [], 0
        for first, last in self._layout.extra["keywords"]:
            match = _KEYWORD.match(content[first:last].rstrip(b"\r\n"))
            if match and decoded(match[1]) in _KEYS:
                pieces.append(content[place:first])
                place = last
        line = _LINE.match(content, lines[0][1])
        end = line[2] if line and line[2] else b"\n"
        pieces += [content[place : lines[0][0]], _keywords(provenance, end)]
        place, pad = lines[0][0], max(self._longest - self._layout.extra["width"], 0)
        for number, (first, last) in enumerate(lines):
            texts = (_in_header(column, number) for column in columns)
            new = b"".join(text.encode().rjust(_WIDTH) + b"|" for text in texts)
            old = _without(content[first:last].rstrip(b" \t"), self._layout.extra["edges"], dropped)
            pieces += [content[place:first], old, b" " * pad, new]
            place = last
        return b"".join([*pieces, content[place:]])

    def _cells(self, columns, values, lengths, dropped) -> pa.Array:
        """Return values right below their names."""
        edges = self._layout.extra["edges"]
        width = max(self._longest, self._layout.extra["width"])
        width -= sum(edges[number][1] - edges[number][0] + 1 for number in dropped)
        pads = pa.array([" " * size for size in range(int(width - lengths.min()) + 1)])
        blanks = pads.cast(pa.large_string()).take(pa.array(width - lengths))
        padded = [pc.utf8_lpad(value, _WIDTH) for value in values]
        nothing, one = (pa.scalar(text, pa.large_string()) for text in ("", " "))
        cells = pc.binary_join_element_wise(*padded, one)
        return pc.binary_join_element_wise(blanks, cells, nothing)

    def provenance(self) -> dict[str, str]:
        """Return what the keywords say of our columns, by the keys of `write_annotated`."""
        with open(self._file, "rb") as file:
            lines = file.read(self._layout.data_start).splitlines()
        matches = (match for match in map(_KEYWORD.match, lines) if match)
        return {
            _KEYS[decoded(match[1])]: decoded(match[2])
            for match in matches
            if decoded(match[1]) in _KEYS
        }


def _cell(content: bytes, start: int, stop: int, edge: tuple[int, int]) -> str:
    return decoded(content[start:stop][slice(*edge)]).strip(" \t|")


def _in_header(column, number: int) -> str:
    return (column.name, _TYPES[column.dtype], column.unit, "null")[number]


def _without(line: bytes, edges, dropped: set[int]) -> bytes:
    """Return a line of the header without some columns."""
    for number in sorted(dropped, reverse=True):
        first, last = edges[number]
        line = line[:first] + line[last + 1 :]
    return line


def _keywords(provenance, end: bytes) -> bytes:
    lines = (
        f"\\{PROVENANCE[key][0]} = '{' '.join(value.split())}'" for key, value in provenance.items()
    )
    return b"".join(line.encode("utf-8", "backslashreplace") + end for line in lines)
