"""The tables in an HDF5 file: datasets with a structure for each row, and groups of columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy.table.meta import YamlParseError, get_header_from_yaml

from catalogs.errors import InputError
from catalogs.exact import ColumnKind

_DESCRIPTION = ".__table_column_meta__"
_KINDS = {"b": "logical", "i": "integer", "u": "integer", "f": "number", "S": "text"}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        Of one value.
    shape : tuple of int
        Of the values in one row; ``()``: one value.
    unit, description, ucd : str
        Empty where the file says none.
    mask : str or None
        Column that is true where there is no value.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    unit: str = ""
    description: str = ""
    ucd: str = ""
    mask: str | None = None

    @property
    def kind(self) -> ColumnKind | None:
        """Return what the column holds; None: nothing that can be compared."""
        text = h5py.check_string_dtype(self.dtype) is not None
        kind = "text" if text else _KINDS.get(self.dtype.kind)
        if kind is None or len(self.shape) > 1:
            return None
        return ColumnKind(kind, self.shape[0] if self.shape else None)


@dataclass(frozen=True)
class Table:
    """A table of a file.

    Attributes
    ----------
    path : str
        Of the dataset, or of the group whose datasets are the columns.
    rows : int
    columns : tuple of Column
    in_rows : bool
        Whether it is one dataset, with a structure for each row.
    header : mapping or None
        What astropy says of it in YAML.
    other_lengths : tuple of str
        Datasets of the group that are no columns, for they have another length.
    """

    path: str
    rows: int
    columns: tuple[Column, ...]
    in_rows: bool
    header: Mapping | None = None
    other_lengths: tuple[str, ...] = ()

    def read(self, file: h5py.File, names: Sequence[str], start: int, stop: int):
        """Return columns as they are in the file, in the rows [start, stop).

        Parameters
        ----------
        file : h5py.File
        names : sequence of str
        start, stop : int

        Returns
        -------
        dict of str to array
        """
        node = file[self.path]
        if not self.in_rows:
            return {name: node[name][start:stop] for name in names}
        values = node.fields(list(names))[start:stop]
        return {name: values[name] for name in names}


def description_path(path: str) -> str:
    """Return where astropy describes the table at a path."""
    return f"{path}{_DESCRIPTION}"


def tables_of(file: h5py.File, where: Path) -> list[Table]:
    """List the tables of a file, in the order of their paths.

    Parameters
    ----------
    file : h5py.File
    where : Path
        For errors.

    Returns
    -------
    list of Table

    Raises
    ------
    InputError
        If pandas wrote the file: its description of a table is a pickle.
    ValueError
        If the name of a dataset is not UTF-8.
    """
    tables = []
    for path, node in _nodes(file):
        if "pandas_type" in node.attrs:
            raise InputError(
                f"{where}: HDF5 of pandas, which describes its tables by pickles, so it is not "
                f'read; convert it: python -c "import pandas as p; '
                f"p.read_hdf('{where.name}', '{path}').to_parquet('{where.stem}.parquet')\""
            )
        if isinstance(node, h5py.Group):
            tables += _of_columns(path, node)
        elif node.dtype.names and node.ndim == 1:
            tables.append(_of_rows(path, node, file.get(description_path(path))))
    return sorted(tables, key=lambda table: table.path)


def _nodes(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yield the groups and datasets of a file, each once, with their paths."""
    found: list[tuple[str, h5py.Group | h5py.Dataset]] = [("/", file["/"])]
    file.visititems(lambda name, node: found.append((f"/{name}", node)))
    for path, node in found:
        if isinstance(node, h5py.Group | h5py.Dataset):
            yield path, node


def _of_rows(path: str, node: h5py.Dataset, description) -> Table:
    header = _header(description)
    known = {column["name"]: column for column in header["datatype"]} if header else {}
    columns = []
    for name in node.dtype.names:
        base, shape = node.dtype[name].subdtype or (node.dtype[name], ())
        notes = known.get(name, {})
        meta = notes.get("meta")
        mask = f"{name}.mask"
        columns.append(
            Column(
                name,
                base,
                shape,
                str(notes.get("unit") or "").strip(),
                str(notes.get("description") or ""),
                str(meta.get("ucd") or "") if isinstance(meta, dict) else "",
                mask if header and node.dtype.names.count(mask) else None,
            )
        )
    return Table(path, node.shape[0], tuple(columns), True, header)


def _header(description) -> Mapping | None:
    """Return what astropy's description of a table says; None: there is none to be read."""
    if not isinstance(description, h5py.Dataset) or description.ndim != 1:
        return None
    try:
        header = get_header_from_yaml(line.decode() for line in description[:])
    except (YamlParseError, AttributeError, ValueError):
        return None
    columns = header.get("datatype") if isinstance(header, Mapping) else None
    named = isinstance(columns, list) and all(
        isinstance(column, dict) and isinstance(column.get("name"), str) for column in columns
    )
    return header if named else None


def _of_columns(path: str, node: h5py.Group) -> list[Table]:
    """Return the table of a group: the datasets of the length that most of them have."""
    datasets = {
        name: column
        for name, column in node.items()
        if isinstance(column, h5py.Dataset) and column.ndim and not column.dtype.names
    }
    for name in datasets:
        if not isinstance(name, str):
            raise ValueError(f"the name {name!r} in {path} is not UTF-8")
    lengths = [column.shape[0] for column in datasets.values()]
    if len(lengths) < 2:
        return []
    rows = max(lengths, key=lambda length: (lengths.count(length), length))
    columns = tuple(
        _column(name, column) for name, column in datasets.items() if column.shape[0] == rows
    )
    others = tuple(name for name, column in datasets.items() if column.shape[0] != rows)
    return [Table(path, rows, columns, False, other_lengths=others)]


def _column(name: str, node: h5py.Dataset) -> Column:
    unit = _text_of(node, "unit") or _text_of(node, "units")
    about = _text_of(node, "description") or _text_of(node, "Description")
    return Column(name, node.dtype, node.shape[1:], unit, about, _text_of(node, "ucd"))


def _text_of(node, name: str) -> str:
    """Return an attribute that is a text; empty: there is none."""
    value = node.attrs.get(name, "")
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return value.strip() if isinstance(value, str) else ""
