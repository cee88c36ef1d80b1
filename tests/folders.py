"""Folders of tables of the three kinds that are read and written by partitions."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

KINDS = ("parquet", "fits", "hats")


def write_folder(kind, folder, table, parts):
    """Write a structured array of candidates as a folder of so many files, and other files."""
    if kind == "hats":
        return _write_hats(folder, table)
    (folder / "north").mkdir(parents=True)
    (folder / "README").write_text("about")
    for number, piece in enumerate(np.array_split(table, parts)):
        place = folder if number % 2 else folder / "north"
        if kind == "fits":
            fits.BinTableHDU(piece).writeto(place / f"part{number}.fits")
        else:
            arrow = pa.table({name: native(piece[name]) for name in piece.dtype.names})
            pq.write_table(arrow, place / f"part{number}.parquet", row_group_size=7)
    return folder


def _write_hats(folder, table):
    import lsdb
    import pandas as pd

    columns = {name: native(table[name]) for name in table.dtype.names if table[name].ndim == 1}
    frame = pd.DataFrame(columns)
    with warnings.catch_warnings(action="ignore"):
        catalog = lsdb.from_dataframe(
            frame,
            catalog_name="candidates",
            ra_column="ALPHA_J2000",
            dec_column="DELTA_J2000",
            partition_rows=len(table) // 4,
            highest_order=10,
            margin_threshold=None,
        )
        catalog.write_catalog(folder, as_collection=False, progress_bar=False)
    return folder


def native(values):
    """Return values in the byte order of this machine, as Arrow wants them."""
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("=")) if values.dtype.kind in "iuf" else values


def contents(folder):
    """Return the bytes of each file of a folder by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
