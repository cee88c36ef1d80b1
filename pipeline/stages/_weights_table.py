"""A weight set as a table of one row, which a Butler can keep without any new storage class."""

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from catalogs.errors import InputError
from lsbg_classifier.weights.registry import WeightSet, at_path, find_weights, weights_path

_COLUMNS = {"card": pa.string(), "weights": pa.binary()}
_FILE_NAME = "butler"


def weights_table(name: str) -> pa.Table:
    """Put a weight set into a table.

    Parameters
    ----------
    name : str
        A registered name, or the path of a ``.weights.h5`` file.

    Returns
    -------
    pyarrow.Table
        One row: ``card``, the JSON text, and ``weights``, the bytes of the file.

    Raises
    ------
    InputError
        If there is no such weight set, or its file is not what its card describes.
    """
    weight_set = find_weights(name)
    weight_set.check_intact()
    row = {"card": json.dumps(asdict(weight_set.card)), "weights": weight_set.path.read_bytes()}
    return pa.Table.from_pylist([row], schema=pa.schema(_COLUMNS))


def unpack_weights(table: pa.Table, folder: Path) -> WeightSet:
    """Write the weight set of a table into a folder, and check that it is intact.

    Parameters
    ----------
    table : pyarrow.Table
        As of `weights_table`.
    folder : Path
        A folder that exists; gets the weights and their card.

    Returns
    -------
    WeightSet
        That of the folder.

    Raises
    ------
    InputError
        If the table is no weight set, or its bytes are not what its card describes.
    """
    if table.num_rows != 1 or not set(_COLUMNS) <= set(table.column_names):
        raise InputError("the weights from the Butler are not a table of weights_table()")
    (row,) = table.select(list(_COLUMNS)).to_pylist()
    path = weights_path(folder, _FILE_NAME)
    path.write_bytes(row["weights"])
    (folder / f"{_FILE_NAME}.json").write_text(row["card"], encoding="utf-8")
    weight_set = at_path(path)
    weight_set.check_intact()
    return weight_set
