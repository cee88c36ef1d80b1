"""FITS-plus: the VOTable that TOPCAT and STILTS keep in the primary HDU, and believe.

The primary array holds the bytes of a VOTable without data, whose TABLEs describe the binary
tables behind it (https://www.star.bristol.ac.uk/mbt/stil/sun252/FitsPlusTableBuilder.html).
TOPCAT takes names, units, descriptions and parameters from there and not from the table's header;
so it must learn what changes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalogs._fits_checksum import add_to_sum, encode
from catalogs._fits_header import BLOCK, NUMBERS, PROVENANCE, Cards
from catalogs._votable_scan import ScannedTable, scan
from catalogs._votable_text import (
    added_fields,
    cut,
    edited,
    encoded,
    indent_before,
    param_text,
)
from catalogs.columns import AddedColumn

_MARK = "VOTMETA"


@dataclass(frozen=True)
class Changes:
    """What happens to one table.

    Attributes
    ----------
    names : sequence of str
        Its columns.
    dropped : collection of str
        Columns that are left out.
    columns : sequence of AddedColumn
        Columns that are added.
    provenance : mapping of str to str
    """

    names: Sequence[str]
    dropped: Collection[str]
    columns: Sequence[AddedColumn]
    provenance: Mapping[str, str]


def is_fits_plus(header) -> bool:
    """Tell whether the primary HDU, whose header astropy has read, describes the tables."""
    return header.get(_MARK) is True and header.get("BITPIX") == 8 and header.get("NAXIS") == 1


def updated_primary(header: bytes, data: bytes, number: int, changes: Changes) -> bytes:
    """Return the primary HDU anew, as whole blocks.

    A VOTable that cannot be read, or that describes the table wrongly, is left as it is, and its
    mark set to false: then TOPCAT believes the table's header. One that does not describe this
    table is left as it is.

    Parameters
    ----------
    header, data : bytes
        Of the primary HDU; the data without padding.
    number : int
        Which of the extensions changes, from 1.
    changes : Changes

    Returns
    -------
    bytes
        Header and data, each padded to a multiple of 2,880 bytes.
    """
    cards = Cards(header, is_table=False)
    try:
        tables = scan(data)
    except ValueError:
        tables = None
    table = tables[number - 1] if tables and number <= len(tables) else None
    if tables is None or (table and len(table.field_spans) != len(changes.names)):
        cards.set(_MARK, False)
    elif table:
        data = b"".join(edited(data, _edits(data, table, changes)))
        cards.set("NAXIS1", len(data))
    padded = data + b"\0" * (-len(data) % BLOCK)
    if cards.has("DATASUM"):
        cards.set("DATASUM", str(add_to_sum(0, padded)))
    if cards.has("CHECKSUM"):
        cards.set("CHECKSUM", "0" * 16)
        cards.set("CHECKSUM", encode(add_to_sum(0, cards.to_bytes() + padded)))
    return cards.to_bytes() + padded


def _edits(content: bytes, table: ScannedTable, changes: Changes):
    """Yield what changes in the VOTable: FIELDs, and PARAMs named as the keywords of the header."""
    for span, name in zip(table.field_spans, changes.names, strict=True):
        if name in changes.dropped:
            yield cut(content, *span)
    for span in table.param_spans:
        yield cut(content, *span)
    indent = indent_before(content, table.field_spans[-1][0])
    new = [*added_fields(changes.columns, table.prefix), *_params(changes.provenance, table.prefix)]
    place = table.field_spans[-1][1]
    yield place, place, encoded("".join(f"{indent}{element}" for element in new))


def _params(provenance: Mapping[str, str], prefix: str):
    for name, value in provenance.items():
        keyword, comment = PROVENANCE[name]
        datatype = "double" if name in NUMBERS else "unicodeChar"
        yield param_text(keyword, value, prefix=prefix, datatype=datatype, description=comment)
