"""What the schema of a Parquet file says of its columns, and the schema with columns added."""

from functools import lru_cache

import pyarrow as pa
from astropy.table.meta import YamlParseError, get_header_from_yaml

from catalogs._parquet_exact import kind_of_type
from catalogs._parquet_files import Part
from catalogs.astropy_header import KEY
from catalogs.details import ColumnDetail
from catalogs.errors import InputError
from catalogs.exact import ColumnKind
from catalogs.positions import ColumnInfo

OURS = "lsbg."
"""Begins the keys of our metadata."""

TYPES = {"f4": pa.float32(), "i2": pa.int16()}
"""Types of the columns that are added."""


def infos_of(schema: pa.Schema) -> dict[str, ColumnInfo]:
    """Return what finding positions needs to know of each column."""
    infos, units = {}, units_of(schema)
    for field in schema:
        kind = field.type
        ucd = (field.metadata or {}).get(b"ucd", b"").decode("utf-8", "replace").strip()
        is_text = kind_of_type(kind) == ColumnKind("text")
        infos[field.name] = ColumnInfo(_is_number(kind), is_text, units[field.name] or None, ucd)
    return infos


def units_of(schema: pa.Schema) -> dict[str, str]:
    """Return each column's unit, by its field's metadata or by those of astropy; empty: none."""
    units = _astropy_units((schema.metadata or {}).get(KEY, b""))
    units_by_name = {}
    for field in schema:
        unit = (field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace").strip()
        units_by_name[field.name] = unit or units.get(field.name, "").strip()
    return units_by_name


@lru_cache(maxsize=1)
def _astropy_units(header: bytes) -> dict[str, str]:
    """Return the columns' units from what astropy's ``Table.write`` leaves in the metadata."""
    try:
        description = get_header_from_yaml(header.decode("utf-8", "replace").splitlines())
    except YamlParseError:
        return {}
    columns = description.get("datatype") if isinstance(description, dict) else None
    return {
        column["name"]: column["unit"]
        for column in (columns if isinstance(columns, list) else [])
        if isinstance(column, dict)
        and isinstance(column.get("name"), str)
        and isinstance(column.get("unit"), str)
    }


def check_numbers(part: Part, names):
    """Refuse columns that cannot be read as numbers.

    Parameters
    ----------
    part : Part
    names : iterable of str

    Raises
    ------
    InputError
        If there is no such column, or it is neither a real number nor logical.
    """
    for name in names:
        if name not in part.schema.names:
            raise InputError(f"{part.path}: no column {name}")
        kind = part.schema.field(name).type
        if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
            raise InputError(f"{part.path}: {name} is not one real number a row")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def detail_kind(kind) -> str | None:
    """Return what a column of a type holds, as in `ColumnDetail`; None: not one value a row."""
    types = pa.types
    if types.is_dictionary(kind):
        return detail_kind(kind.value_type)
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "logical"
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "text" if is_text or types.is_date(kind) or types.is_timestamp(kind) else None


def details_of(schema: pa.Schema) -> list[ColumnDetail]:
    """List the columns with one value a row, with their units and descriptions."""
    infos, details = infos_of(schema), []
    for field in schema:
        kind = detail_kind(field.type)
        if kind is not None:
            description = (field.metadata or {}).get(b"description", b"").decode("utf-8", "replace")
            unit = infos[field.name].unit or ""
            details.append(ColumnDetail(field.name, kind, unit, description))
    return details


def provenance_of(schema: pa.Schema) -> dict[str, str]:
    """Return what a schema says of our columns, by the keys of `Catalog.write_annotated`."""
    return {
        key.decode("utf-8", "replace").removeprefix(OURS): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
        if key.startswith(OURS.encode())
    }


def schema_with(old: pa.Schema, kept, columns, provenance) -> pa.Schema:
    """Add fields with their descriptions, and the provenance, to a schema.

    Parameters
    ----------
    old : pyarrow.Schema
    kept : sequence of str
        Names of the fields that stay.
    columns : sequence of AddedColumn
    provenance : mapping of str to str

    Returns
    -------
    pyarrow.Schema
    """
    fields = [old.field(name) for name in kept]
    for column in columns:
        notes = {"description": column.description, "ucd": column.ucd, "unit": column.unit}
        fields.append(
            pa.field(column.name, TYPES[column.dtype], column.dtype.startswith("f"), notes)
        )
    metadata = dict(old.metadata or {})
    metadata.pop(f"{OURS}select".encode(), None)  # of an earlier run; this one may have had none
    for key, value in provenance.items():
        metadata[f"{OURS}{key}".encode()] = value.encode("utf-8", "backslashreplace")
    return pa.schema(fields, metadata)
