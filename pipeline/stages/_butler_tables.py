"""Tables of the Butler: read as Arrow with all that they say, and what of them can be stored."""

from typing import Any

import pyarrow as pa

from catalogs.errors import InputError
from pipeline.stages._lsst import compute_row_group_size

_STRIP = "strip_astropy_meta_yaml"
"""Parameter of newer Butlers, by which they leave out what astropy says of a table's columns."""


def read_whole(handle: Any) -> pa.Table:
    """Read a table as Arrow, whatever it is stored as, with all metadata.

    Other forms lose types, nulls and descriptions.

    Parameters
    ----------
    handle : lsst.daf.butler.DeferredDatasetHandle

    Returns
    -------
    pyarrow.Table
    """
    try:
        return handle.get(storageClass="ArrowTable", parameters={_STRIP: False})
    except KeyError:  # it, or what the table is stored as, does not know the parameter
        return handle.get(storageClass="ArrowTable")


def check_storable(schema: pa.Schema):
    """Refuse columns that the Butler cannot store, before anything is scored.

    Parameters
    ----------
    schema : pyarrow.Schema

    Raises
    ------
    InputError
        The message names the first such column, and its type.
    """
    for field in schema:
        if not _can_be_stored(field):
            raise InputError(
                f"the column {field.name} of type {field.type} cannot be stored by the Butler; "
                "leave it out of the table"
            )


def _can_be_stored(field: pa.Field) -> bool:
    if pa.types.is_null(field.type):  # it is written, but never read as astropy
        return False
    try:
        compute_row_group_size(pa.schema([field]))
    except ValueError:
        return False
    return True
