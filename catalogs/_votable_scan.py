"""Where the parts of a VOTable stand in its bytes.

A parser of XML tells the place of each piece, so that a table can be changed by cutting and
inserting, and every other byte stays as it was.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from catalogs._fits_header import PROVENANCE

_OURS = "lsbg."
_KEYWORDS = {keyword: key for key, (keyword, _) in PROVENANCE.items()}
"""Names of our provenance in tables that were converted from FITS."""

_IN_ANOTHER_FILE = ("FITS", "PARQUET")
"""Serializations whose data are not in the VOTable itself."""

Span = tuple[int, int]
"""Bytes [start, stop) of the file."""


@dataclass
class ScannedTable:
    """One TABLE of a VOTable.

    Attributes
    ----------
    attributes : mapping of str to str
        Those of the TABLE.
    fields : list of mapping of str to str
        Attributes of each FIELD.
    prefix : str
        What stands before the names of its elements, such as ``vot:``.
    field_spans, param_spans : list of (int, int)
        Where each FIELD stands, and each PARAM of ours.
    serialization : str
        ``TABLEDATA``, ``BINARY`` or ``BINARY2``; empty if there are no data.
    stream : (int, int)
        Where the text of the STREAM is; (0, 0) if there is none.
    encoding : str
        Of the STREAM: ``gzip`` where its base64 holds bytes that are compressed.
    provenance : mapping of str to str
        What those PARAMs say.
    row_ends : list of int
        Where a cell can be added to each row of a TABLEDATA.
    cell_start : int
        Where the last cell of the first row begins.
    dropped_cells : list of (int, int)
        Where the cells of columns to drop stand.
    in_another_file : bool
        Whether the data are in another file.
    """

    attributes: Mapping[str, str]
    prefix: str
    fields: list[Mapping[str, str]] = field(default_factory=list)
    field_spans: list[Span] = field(default_factory=list)
    param_spans: list[Span] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)
    serialization: str = ""
    stream: Span = (0, 0)
    encoding: str = ""
    row_ends: list[int] = field(default_factory=list)
    cell_start: int = 0
    dropped_cells: list[Span] = field(default_factory=list)
    in_another_file: bool = False

    @property
    def label(self) -> str:
        """Return the name or ID of the table."""
        return self.attributes.get("name") or self.attributes.get("ID") or ""


def scan(content: bytes, dropped: Mapping[int, Collection[int]] | None = None):
    """Find the tables of a VOTable.

    Parameters
    ----------
    content : bytes
    dropped : mapping of int to collection of int, optional
        For a table by its number, the numbers of columns whose cells are looked for.

    Returns
    -------
    list of ScannedTable
        In the order of the file.

    Raises
    ------
    ValueError
        If it is not well-formed XML, not a VOTable, or declares entities.
    """
    scanner = _Scanner(dropped or {})
    try:
        scanner.parser.Parse(content, True)
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(str(error)) from error
    return scanner.tables


class _Scanner:
    """Follows the parser through the elements and notes where those that matter stand.

    The parser tells the byte at which an event begins: the first byte of a start tag, the first of
    an end tag, the first of a text. Where an element ends is therefore known only at the event
    that follows its end tag. So `_end` stores the element in `_ended`, and `_settle`, which runs
    first in every event, notes its span.

    Attributes
    ----------
    tables : list of ScannedTable
        Those found so far; the last one is open or the latest.
    _path, _starts : list of str, list of int
        Names of the open elements without prefixes, outermost first, and where they begin.
    _ended : (str, int) or None
        Name and beginning of an element whose end tag was the latest event.
    _cell : int
        Number of the next cell in its row.
    _row_end : int
        End of the latest cell.
    _ours : bool
        Whether the latest PARAM of a table is one of ours.
    _stream_begins : bool
        Whether the latest event was the start tag of a STREAM.
    """

    def __init__(self, dropped: Mapping[int, Collection[int]]):
        self.tables: list[ScannedTable] = []
        self._dropped = dropped
        self._path: list[str] = []
        self._starts: list[int] = []
        self._ended: tuple[str, int] | None = None
        self._cell = self._row_end = 0
        self._ours = self._stream_begins = False
        self.parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.DefaultHandlerExpand = lambda text: self._settle()
        parser.EntityDeclHandler = self._refuse_entities

    @staticmethod
    def _refuse_entities(*_):
        raise ValueError("it declares XML entities, which VOTables have no use for")

    def _settle(self):
        """Note the span of the element that has just ended, or where a STREAM has its text."""
        if self._stream_begins:
            self._stream_begins = False
            self.tables[-1].stream = (self.parser.CurrentByteIndex,) * 2
        if self._ended is None:
            return
        (name, start), self._ended = self._ended, None
        table, stop = self.tables[-1], self.parser.CurrentByteIndex
        if name == "FIELD":
            table.field_spans.append((start, stop))
        elif name == "PARAM":
            table.param_spans.append((start, stop))
        elif name == "TD":
            self._row_end = stop
            if self._cell in self._dropped.get(len(self.tables) - 1, ()):
                table.dropped_cells.append((start, stop))
            self._cell += 1

    def _start(self, name: str, attributes: dict[str, str]):
        self._settle()
        prefix, _, local = name.rpartition(":")
        if not self._path and local != "VOTABLE":
            raise ValueError(f"its root element is {name[:40]}, not VOTABLE")
        start, parent = self.parser.CurrentByteIndex, self._path[-1] if self._path else ""
        if local == "TABLE":
            self.tables.append(ScannedTable(attributes, f"{prefix}:" if prefix else ""))
        elif "TABLE" in self._path:
            self._start_in_table(local, parent, attributes, start)
        self._path.append(local)
        self._starts.append(start)

    def _start_in_table(self, local: str, parent: str, attributes: dict[str, str], start: int):
        table = self.tables[-1]
        if local == "FIELD":
            table.fields.append(attributes)
        elif local == "PARAM" and parent == "TABLE":
            name = attributes.get("name", "")
            key = _KEYWORDS.get(name) or name.removeprefix(_OURS)
            self._ours = key != name
            if self._ours:
                table.provenance[key] = attributes.get("value", "")
        elif parent == "DATA":
            table.serialization, table.in_another_file = local, local in _IN_ANOTHER_FILE
        elif local == "STREAM":
            table.in_another_file |= "href" in attributes
            table.encoding = attributes.get("encoding", "").strip().lower()
            self._stream_begins = True
        elif local == "TR":
            self._cell = 0
        elif local == "TD" and not table.row_ends:
            table.cell_start = start

    def _end(self, name: str):
        self._settle()
        local, start = self._path.pop(), self._starts.pop()
        parent = self._path[-1] if self._path else ""
        if "TABLE" not in self._path:
            return
        if local in ("FIELD", "TD") or (local == "PARAM" and parent == "TABLE" and self._ours):
            self._ended = (local, start)
        elif local == "TR":
            self.tables[-1].row_ends.append(self._row_end)
        elif local == "STREAM":
            begin, _ = self.tables[-1].stream
            self.tables[-1].stream = (begin, self.parser.CurrentByteIndex)
