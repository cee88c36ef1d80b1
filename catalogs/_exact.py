"""Plain columns of each format, exactly as they are: 64-bit integers and texts too.

One pair of functions a format: what its columns are, and their integers or texts in some rows.
"""

from dataclasses import dataclass

import numpy as np

BLOCK = 65_536
"""Rows that are read at a time."""

_WHOLE = ("B", "I", "J", "K")


@dataclass(frozen=True)
class ColumnDetail:
    """A column with one value a row.

    Attributes
    ----------
    name : str
    kind : str
        ``number``, ``integer``, ``logical`` or ``text``.
    unit, description : str
        Empty where the table says none.
    """

    name: str
    kind: str
    unit: str = ""
    description: str = ""


def _describe_fits(catalog) -> list[ColumnDetail]:
    found = []
    for column in catalog._table.columns:
        form = column.form.strip()
        if form.lstrip("0123456789")[:1] == "A" and column.width:
            kind = "text"
        elif column.is_logical:
            kind = "logical"
        elif column.dtype is None:
            continue
        elif form.removeprefix("1")[0] in _WHOLE and column.scale == 1:
            kind = "integer"
        else:
            kind = "number"
        found.append(ColumnDetail(column.name, kind, column.unit or ""))
    return found


def _fits_values(catalog, detail: ColumnDetail, rows: np.ndarray) -> list:
    column = catalog._column(detail.name)
    table = catalog._rows(0, catalog.row_count)
    raw = np.ascontiguousarray(table[rows, column.offset : column.offset + column.width])
    if detail.kind == "text":
        texts = raw.view(f"S{column.width}")[:, 0]
        return [text.decode("utf-8", "replace").rstrip(" ") for text in texts.tolist()]
    stored = raw.view(column.dtype)[:, 0].tolist()
    zero = int(column.zero)
    return [None if value == column.null else value + zero for value in stored]


def _describe_parquet(catalog) -> list[ColumnDetail]:
    from catalogs.parquet import _infos

    schema = catalog._parts[0].schema
    infos, found = _infos(schema), []
    for field in schema:
        kind = _parquet_kind(field.type)
        if kind is not None:
            description = (field.metadata or {}).get(b"description", b"").decode("utf-8", "replace")
            found.append(ColumnDetail(field.name, kind, infos[field.name].unit or "", description))
    return found


def _parquet_kind(kind) -> str | None:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _parquet_kind(kind.value_type)
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "logical"
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "text" if is_text or types.is_date(kind) or types.is_timestamp(kind) else None


def _parquet_values(catalog, detail: ColumnDetail, rows: np.ndarray) -> list:
    from catalogs.parquet import _opened, _readable

    values = []
    for part in catalog._parts:
        start = part.first
        with _opened(part.path) as file:
            for batch in _readable(file.iter_batches(BLOCK, columns=[detail.name]), part.path):
                first, last = np.searchsorted(rows, (start, start + batch.num_rows))
                if first < last:
                    values += batch.column(0).take(rows[first:last] - start).to_pylist()
                start += batch.num_rows
    return [str(v) if detail.kind == "text" and v is not None else v for v in values]


def _describe_hats(catalog) -> list[ColumnDetail]:
    return _describe_parquet(catalog._data)


def _hats_values(catalog, detail: ColumnDetail, rows: np.ndarray) -> list:
    return _parquet_values(catalog._data, detail, rows)


def _describe_votable(catalog) -> list[ColumnDetail]:
    """Describe by the types that astropy gave the columns."""
    kinds = {"i": "integer", "u": "integer", "f": "number", "b": "logical"}
    kinds |= {"U": "text", "S": "text", "O": "text"}
    found = []
    for number, name in enumerate(catalog.column_names):
        kind, shape = catalog._array.dtype[number].base.kind, catalog._array.dtype[number].shape
        field = catalog._table.fields[number]
        if kind == "O" and field.get("datatype") not in ("char", "unicodeChar"):
            continue
        if kind in kinds and not shape:
            found.append(ColumnDetail(name, kinds[kind], field.get("unit", "")))
    return found


def _votable_values(catalog, detail: ColumnDetail, rows: np.ndarray) -> list:
    name = catalog._array.dtype.names[catalog.column_names.index(detail.name)]
    values = np.ma.asarray(catalog._array[name])[rows].tolist()
    return [None if v is None else str(v) if detail.kind == "text" else v for v in values]


def _describe_ecsv(catalog) -> list[ColumnDetail]:
    kinds = {"i": "integer", "u": "integer", "f": "number", "b": "logical", "s": "text"}
    found = []
    for column in catalog._columns:
        kind = kinds.get(str(column.get("datatype"))[:1])
        if kind is not None and not column.get("subtype"):
            about = (str(column.get(key) or "") for key in ("unit", "description"))
            found.append(ColumnDetail(column["name"], kind, *about))
    return found


def _ecsv_values(catalog, detail: ColumnDetail, rows: np.ndarray) -> list:
    number = catalog.column_names.index(detail.name)
    texts = [catalog._records[row][0][number] for row in rows.tolist()]
    if detail.kind == "text":
        return [text or None for text in texts]
    return [int(text) if text.strip() else None for text in texts]


READERS = {
    "fits": (_describe_fits, _fits_values),
    "parquet": (_describe_parquet, _parquet_values),
    "hats": (_describe_hats, _hats_values),
    "votable": (_describe_votable, _votable_values),
    "ecsv": (_describe_ecsv, _ecsv_values),
}
"""For each format, how to describe columns, and how to read integers and texts of ascending rows.

A format that is not here shows its numbers alone.
"""
