"""Tables of SkyCat, as SourceExtractor's ASCII_SKYCAT: names, a line of dashes, values, [EOD]."""

import re

import pyarrow as pa

from catalogs.ascii import (
    AsciiHeadCatalog,
    aligned,
    line_end,
    provenance_lines,
    split_blanks,
    without_ours,
)
from catalogs.formats import Content
from catalogs.text.catalog import TextCatalog
from catalogs.text.layout import Layout, TextColumn
from catalogs.text.syntax import Blanks, Delimited
from catalogs.text.values import decoded

_HEAD = re.compile(
    rb"(?:\A|(?:\A|[\r\n])[^\t\r\n]*(?:\r\n|\r|\n))([^\r\n#-][^\r\n]*\t[^\r\n]*)"
    rb"(?:\r\n|\r|\n)(-[-\t ]*)(?=[\r\n]|\Z)"
)
_COMMENTS = (b"#", b"[EOD]", b"EOD")


def looks_like_skycat(content: Content) -> bool:
    """Tell whether a text has names between tabs above a line of dashes."""
    return b"\0" not in content.beginning and _HEAD.search(content.beginning) is not None


class SkycatCatalog(AsciiHeadCatalog):
    """A catalog in a table of SkyCat; see `catalogs.Catalog`."""

    format = "skycat"
    null = "nan"

    def _layout_of(self, content: bytes, whole: bool) -> Layout:
        """Find the line of names; values are between tabs, or between blanks and tabs."""
        head = _HEAD.search(content)
        if head is None:
            raise ValueError("no names between tabs above a line of dashes")
        start = head.end()
        syntax: Delimited | Blanks = Delimited(b"\t", b"", _COMMENTS)
        names = [name.strip() for name in decoded(head[1]).split("\t")]
        rows = syntax.split(content[start:], final=whole)
        if len(rows):
            row = content[start + int(rows.starts[0]) : start + int(rows.stops[0])]
            if row.count(b"\t") + 1 != len(names):
                syntax, names = Blanks(comments=_COMMENTS), decoded(head[1]).split()
                if len(split_blanks(row)) != len(names):
                    raise ValueError(
                        f"its header names {len(names)} columns, its rows have other ones, perhaps "
                        "vectors; have SourceExtractor write CATALOG_TYPE ASCII_HEAD or FITS_LDAC"
                    )
        spans = [head.span(1), head.span(2)]
        return Layout(tuple(map(TextColumn, names)), syntax, start, extra={"spans": spans})

    def _new_header(self, dropped: set[int], columns, provenance) -> bytes:
        """Add names to the line of names, and dashes below them where each has its own."""
        content = self._header()
        (first, stop), (dashes, last) = self._layout.extra["spans"]
        names = content[first:stop].split(b"\t")
        each = content[dashes:last].split(b"\t")
        below = [cell for n, cell in enumerate(each) if len(each) == 1 or n not in dropped]
        if len(each) > 1:
            below += [b"-" * len(column.name) for column in columns]
        if isinstance(self._layout.syntax, Blanks):
            names = content[first:stop].split()
        cells = [name for n, name in enumerate(names) if n not in dropped]
        cells += [column.name.encode() for column in columns]
        end = line_end(content[:dashes])
        comments = without_ours(content[:first]) + provenance_lines(provenance, end)
        return b"".join(
            [comments, b"\t".join(cells), content[stop:dashes], b"\t".join(below), content[last:]]
        )

    def _cells(self, columns, values, lengths, dropped) -> pa.Array:
        if isinstance(self._layout.syntax, Blanks):
            return aligned(columns, values)
        return TextCatalog._cells(self, columns, values, lengths, dropped)
