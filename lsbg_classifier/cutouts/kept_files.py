"""The files of the cutouts that a run keeps beside its output, and what describes them.

They lie in the folder ``OUTPUT.cutouts``: Parquet files with the columns ``row`` (int64, of the
catalog), ``ra``, ``dec`` (degrees), ``flags`` (int16) and ``cutout`` (64x64x3 bytes, RGB, row by
row from the top), which any reader of Parquet opens; a manifest; and an index to find a row by.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.output import remove_partials, write_whole, written_whole
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging

_VERSION = 1
_BYTES = CUTOUT_SIZE**2 * 3
GROUP = 32
"""Cutouts of a row group: so many are read to get one."""

INDEX = np.dtype(
    [
        ("row", "<i8"),
        ("ra", "<f8"),
        ("dec", "<f8"),
        ("part", "<i4"),
        ("place", "<i4"),
        ("flags", "<i2"),
    ]
)
"""One entry a cutout: its row, position and flags, and where in which file it is."""


def kept_folder(output: Path | str) -> Path:
    """Return the folder that the cutouts of an output are kept in."""
    output = Path(output)
    return output.with_name(f"{output.name}.cutouts")


def is_kept(folder: Path) -> bool:
    """Tell whether a folder holds kept cutouts."""
    return (folder / "_manifest.json").is_file()


@dataclass(frozen=True)
class KeptManifest:
    """What kept cutouts are; stored as ``_manifest.json`` in their folder.

    Attributes
    ----------
    source : str
        Where they came from.
    imaging : Imaging
        What they show.
    row_count : int
        Rows of the catalog, with a cutout or without.
    run : dict
        What the run was started with, as JSON values.
    version : int
        Of this layout.
    """

    source: str
    imaging: Imaging
    row_count: int
    run: Mapping[str, object] = field(default_factory=dict)
    version: int = _VERSION

    @classmethod
    def read(cls, folder: Path) -> "KeptManifest":
        """Read a manifest, or raise `InputError` that says what is wrong with it."""
        try:
            content = dict(json.loads((folder / "_manifest.json").read_text()))
            imaging = dict(content.pop("imaging"))
            imaging["bands"] = tuple(imaging["bands"])
            manifest = cls(imaging=Imaging(**imaging), **content)
            if not isinstance(manifest.imaging.pixel_scale, float) or not imaging["bands"]:
                raise TypeError("no pixel scale or no bands")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{folder}: no kept cutouts ({error})") from error
        if manifest.version != _VERSION:
            raise InputError(f"{folder}: kept by another version; run lsbg classify again")
        return manifest

    def write(self, folder: Path):
        """Write it into a folder."""
        text = json.dumps(asdict(self), indent=2)
        write_whole(folder / "_manifest.json", text, alone=True)


def part_path(folder: Path, number: int) -> Path:
    """Return the path of one file of cutouts.

    Parameters
    ----------
    folder : Path
        The folder of cutouts.
    number : int
        Of the file, from 0.

    Returns
    -------
    Path
    """
    return folder / f"part-{number:06d}.parquet"


def part_numbers(folder: Path) -> list[int]:
    """Return the numbers of the files of cutouts in a folder, ascending."""
    names = (path.stem.removeprefix("part-") for path in folder.glob("part-*.parquet"))
    return sorted(int(name) for name in names if name.isdecimal())


def write_part(path: Path, rows, positions, flags, cutouts: np.ndarray):
    """Write one file of cutouts, whole or not at all.

    Parameters
    ----------
    path : Path
    rows : array of int, shape (N,)
    positions : array of float64, shape (N, 2)
        Degrees.
    flags : array of int16, shape (N,)
    cutouts : array of uint8, shape (N, 64, 64, 3)
    """
    images = pa.Array.from_buffers(
        pa.binary(_BYTES), len(cutouts), [None, pa.py_buffer(np.ascontiguousarray(cutouts))]
    )
    table = pa.table(
        {
            "row": np.asarray(rows, np.int64),
            "ra": np.ascontiguousarray(positions[:, 0]),
            "dec": np.ascontiguousarray(positions[:, 1]),
            "flags": np.asarray(flags, np.int16),
            "cutout": images,
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=GROUP,
        use_dictionary=False,
        write_statistics=False,
    )
    write_whole(path, sink.getvalue().to_pybytes())


def part_rows(path: Path) -> np.ndarray:
    """Return the rows of the catalog that a file of cutouts has."""
    return _read_columns(path, ["row"])["row"].to_numpy()


def write_index(folder: Path):
    """Write the index of all files of cutouts in a folder."""
    entries = [np.empty(0, INDEX)]
    for number in part_numbers(folder):
        table = _read_columns(part_path(folder, number), ["row", "ra", "dec", "flags"])
        entry = np.empty(table.num_rows, INDEX)
        for name in table.column_names:
            entry[name] = table[name].to_numpy()
        entry["part"], entry["place"] = number, np.arange(len(entry))
        entries.append(entry)
    index = np.concatenate(entries)
    index = index[np.argsort(index["row"], kind="stable")]
    remove_partials(folder / "_index.npy")
    with written_whole(folder / "_index.npy") as partial, open(partial, "wb") as file:
        np.save(file, index)


def _read_columns(path: Path, columns: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def images_of(table: pa.Table) -> np.ndarray:
    """Return the cutouts of a row group."""
    column = table["cutout"].combine_chunks()
    if column.type != pa.binary(_BYTES) or column.null_count:
        raise ValueError("no cutouts of 64x64x3")
    flat = np.frombuffer(column.buffers()[1], np.uint8)
    first = column.offset * _BYTES
    return flat[first : first + len(column) * _BYTES].reshape(-1, CUTOUT_SIZE, CUTOUT_SIZE, 3)


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be read.

    Parameters
    ----------
    path : Path
    error : Exception
        What its reader raised.

    Returns
    -------
    InputError
    """
    reason = one_line(error)
    return InputError(f"{path}: damaged ({reason}); run lsbg classify --keep-cutouts again")
