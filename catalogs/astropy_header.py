"""The description of a Parquet table that astropy, and so Rubin's Butler, keeps in its metadata."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from astropy.table import Column
from astropy.table.meta import YamlParseError, get_header_from_yaml, get_yaml_from_header

KEY = b"table_meta_yaml"
"""Of the metadata of a schema."""


def is_described(schema: pa.Schema) -> bool:
    """Tell whether a schema holds a description by astropy that can be read."""
    return bool(_mappings(_header(schema).get("datatype")))


def describe_for_astropy(
    schema: pa.Schema,
    meta: Mapping[str, object] | None = None,
    strip: Callable[[dict], None] | None = None,
) -> pa.Schema:
    """Describe all columns as astropy does, which refuses tables that it knows only in part.

    Parameters
    ----------
    schema : pyarrow.Schema
        Units, descriptions and UCDs of its fields are passed on; what it says of them already
        for astropy stays.
    meta : mapping, optional
        Added to what becomes ``Table.meta``.
    strip : callable, optional
        Takes out of that, first, what no longer holds.

    Returns
    -------
    pyarrow.Schema
        The same fields, with astropy's description in the metadata.
    """
    header = _header(schema)
    known = {str(column.get("name")): column for column in _mappings(header.get("datatype"))}
    table_meta = _mapping(header.get("meta"))
    if strip is not None:
        strip(table_meta)
    columns = [_column(field, known.get(field.name, {})) for field in schema]
    lines = get_yaml_from_header({"cols": columns, "meta": {**table_meta, **(meta or {})}})
    return schema.with_metadata({**(schema.metadata or {}), KEY: "\n".join(lines).encode()})


def _header(schema: pa.Schema) -> dict:
    text = (schema.metadata or {}).get(KEY, b"").decode("utf-8", "replace")
    try:
        header = get_header_from_yaml(text.splitlines()) if text else {}
    except YamlParseError:
        return {}
    return header if isinstance(header, dict) else {}


def _mappings(items: object) -> list[dict]:
    """Return the mappings of what should be a list of them."""
    return [_mapping(item) for item in (items if isinstance(items, list) else ())]


def _mapping(item: object) -> dict:
    return dict(item) if isinstance(item, Mapping) else {}


def _column(field: pa.Field, known: Mapping[str, object]) -> Column:
    """Make an empty column with the description of one."""
    notes = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (field.metadata or {}).items()
    }
    texts = {key: value for key, value in known.items() if isinstance(value, str) and value}
    ucd = {"ucd": notes["ucd"]} if notes.get("ucd") else {}
    return Column(
        name=field.name,
        dtype=_dtype(field.type),
        unit=texts.get("unit") or notes.get("unit") or None,
        description=texts.get("description") or notes.get("description") or None,
        format=texts.get("format"),
        meta={**ucd, **_mapping(known.get("meta"))},
    )


def _dtype(kind: pa.DataType) -> np.dtype:
    """Return the type of numbers; all else counts as text, for astropy looks at the data."""
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.dtype(kind.to_pandas_dtype())
    return np.dtype(str)
