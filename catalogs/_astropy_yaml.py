"""Columns and provenance in the description that astropy keeps of a table, in ECSV and HDF5."""

from collections.abc import Collection, Mapping, Sequence

import yaml
from astropy.io.misc.yaml import AstropyDumper

from catalogs.columns import AddedColumn

PROVENANCE = "lsbg."
"""Begins the keys of what a table's ``meta`` says of our columns."""

_DATATYPES = {"f4": "float32", "i2": "int16"}


class _Dumper(AstropyDumper):
    """Writes a table's ``meta`` as astropy has it: a mapping in its order."""


class _Ordered(dict):
    """A mapping that becomes an ``!!omap``."""


_Dumper.add_representer(
    _Ordered,
    lambda dumper, mapping: dumper.represent_sequence(
        "tag:yaml.org,2002:omap", [{key: value} for key, value in mapping.items()]
    ),
)


def described(
    header: Mapping,
    dropped: Collection[str],
    columns: Sequence[AddedColumn],
    provenance: Mapping[str, str],
) -> list[str]:
    """Return the lines of a description with columns and provenance added.

    Parameters
    ----------
    header : mapping
        What the old description says; its ``datatype`` lists the columns.
    dropped : collection of str
        Columns that are replaced.
    columns : sequence of AddedColumn
    provenance : mapping of str to str

    Returns
    -------
    list of str
        YAML, without line ends.
    """
    new = [
        {
            "name": column.name,
            "datatype": _DATATYPES[column.dtype],
            **({"unit": column.unit} if column.unit else {}),
            "description": column.description,
            "meta": {"ucd": column.ucd},
        }
        for column in columns
    ]
    remaining = [column for column in header["datatype"] if column["name"] not in dropped]
    meta = header.get("meta", {})
    meta = meta if isinstance(meta, dict) else {"meta": meta}  # as astropy reads it
    meta = {key: value for key, value in meta.items() if not str(key).startswith(PROVENANCE)}
    serialized = meta.get("__serialized_columns__")
    if isinstance(serialized, dict):
        kept = {name: about for name, about in serialized.items() if name not in dropped}
        meta["__serialized_columns__"] = kept
    meta |= {f"{PROVENANCE}{key}": value for key, value in provenance.items()}
    content = {**header, "datatype": [*remaining, *new], "meta": _Ordered(meta)}
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=130)
    return text.splitlines()


def provenance_of(header: Mapping) -> dict[str, str]:
    """Return what a description says of our columns, by the keys of `Catalog.write_annotated`."""
    meta = header.get("meta")
    entries = meta.items() if isinstance(meta, dict) else ()
    return {
        key.removeprefix(PROVENANCE): str(value)
        for key, value in entries
        if str(key).startswith(PROVENANCE)
    }
