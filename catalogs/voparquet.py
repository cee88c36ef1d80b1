"""VOParquet: a VOTable without data, in a Parquet file's metadata, that describes its columns.

Version 1.0 of the convention of the IVOA: https://www.ivoa.net/documents/Notes/VOParquet
"""

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from catalogs._votable_scan import scan
from catalogs._votable_text import added_fields, cut, edited, encoded, field_text, indent_before
from catalogs.columns import AddedColumn

VERSION, CONTENT = b"IVOA.VOTable-Parquet.version", b"IVOA.VOTable-Parquet.content"

_DATATYPES = {
    "bool": "boolean",
    "uint8": "unsignedByte",
    "int8": "short",
    "int16": "short",
    "uint16": "int",
    "int32": "int",
    "uint32": "long",
    "int64": "long",
    "uint64": "long",
    "halffloat": "float",
    "float": "float",
    "double": "double",
}
"""VOTable's type for each of Arrow's numbers; all others are told of as text."""

_NOTES = ("unit", "ucd", "utype", "xtype", "description")
"""What the metadata of a Parquet field say by the names of VOTable."""

_BEFORE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    '<RESOURCE type="results">\n<TABLE>\n'
)
_AFTER = "</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type holds texts, perhaps as a dictionary."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def describe(
    schema: pa.Schema, units: Mapping[str, str], lengths: Mapping[str, int]
) -> dict[bytes, bytes]:
    """Return the keys of VOParquet for a table.

    Parameters
    ----------
    schema : pyarrow.Schema
        Units, UCDs and descriptions are in the metadata of its fields.
    units : mapping of str to str
        Units that are not in the metadata of the fields, by the names of the columns.
    lengths : mapping of str to int
        Characters of the longest value of each column of texts: astropy's reader needs a limit.

    Returns
    -------
    dict of bytes to bytes
        Entries of the metadata of the Parquet schema.
    """
    fields = (_field(field, units.get(field.name, ""), lengths.get(field.name)) for field in schema)
    text = _BEFORE + "".join(f"{field}\n" for field in fields) + _AFTER
    return {VERSION: b"1.0", CONTENT: encoded(text)}


def extend(
    metadata: dict[bytes, bytes], columns: Sequence[AddedColumn], dropped: Collection[str]
) -> dict[bytes, bytes]:
    """Return metadata whose VOTable, if there is one, knows the added columns.

    One that cannot be read is left as it is.

    Parameters
    ----------
    metadata : dict of bytes to bytes
        Of a Parquet schema.
    columns : sequence of AddedColumn
    dropped : collection of str
        Columns that are replaced.

    Returns
    -------
    dict of bytes to bytes
        The same metadata where they hold no VOTable.
    """
    try:
        content = metadata[CONTENT]
        table = scan(content)[0]
        place = table.field_spans[-1][1]
    except (LookupError, ValueError):
        return metadata
    names = [field.get("name", field.get("ID")) for field in table.fields]
    edits = [
        cut(content, *span)
        for span, name in zip(table.field_spans, names, strict=True)
        if name in dropped
    ]
    indent = indent_before(content, table.field_spans[-1][0])
    new = "".join(f"{indent}{field}" for field in added_fields(columns, table.prefix))
    return metadata | {CONTENT: b"".join(edited(content, [*edits, (place, place, encoded(new))]))}


def _field(field: pa.Field, unit: str, length: int | None) -> str:
    datatype, size = _datatype(field.type)
    if length is not None:
        size = f"{max(length, 1)}*"
    known = field.metadata or {}
    notes = {key: known.get(key.encode(), b"").decode("utf-8", "replace") for key in _NOTES}
    notes["unit"] = notes["unit"] or unit
    return field_text(field.name, datatype, arraysize=size, **notes)


def _datatype(kind: pa.DataType) -> tuple[str, str]:
    """Return VOTable's type and arraysize; lists of numbers are arrays."""
    if pa.types.is_dictionary(kind):
        return _datatype(kind.value_type)
    if pa.types.is_decimal(kind):
        return "double", ""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner, size = _datatype(kind.value_type)
        if not size and inner in _DATATYPES.values():
            return inner, str(getattr(kind, "list_size", "*"))
    if str(kind) in _DATATYPES:
        return _DATATYPES[str(kind)], ""
    return "unicodeChar", "*"
