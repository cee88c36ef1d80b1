"""Cutouts that a run has kept beside its output: by row of the catalog, or by position.

They lie in the folder ``OUTPUT.cutouts``: Parquet files with the columns ``row`` (int64, of the
catalog), ``ra``, ``dec`` (degrees), ``flags`` (int16) and ``cutout`` (64x64x3 bytes, RGB, row by
row from the top), which any reader of Parquet opens; a manifest; and an index to find a row by.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.flags import Flag
from catalogs.matching import KnownPositions
from catalogs.output import remove_partials, write_whole, written_whole
from lsbg_classifier.cutouts.source import check_options, empty_cutouts, flags_bad_positions
from lsbg_classifier.reasons import give_reason
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging

_VERSION = 1
_BYTES = CUTOUT_SIZE**2 * 3
_GROUP = 32
"""Cutouts that are read to get one."""

_INDEX = np.dtype(
    [
        ("row", "<i8"),
        ("ra", "<f8"),
        ("dec", "<f8"),
        ("part", "<i4"),
        ("place", "<i4"),
        ("flags", "<i2"),
    ]
)


def kept_folder(output: Path | str) -> Path:
    """Return the folder that the cutouts of an output are kept in."""
    output = Path(output)
    return output.with_name(f"{output.name}.cutouts")


def open_kept(output: Path | str, *, row_count: int | None = None) -> "KeptCutouts | None":
    """Open the cutouts that were kept with an output.

    Parameters
    ----------
    output : path
        The annotated catalog, or the folder of cutouts itself.
    row_count : int, optional
        Rows of the catalog; another number of them is an error.

    Returns
    -------
    KeptCutouts or None
        None if none were kept.

    Raises
    ------
    InputError
        If they are damaged, or those of another catalog.
    """
    folder = next((path for path in (kept_folder(output), Path(output)) if is_kept(path)), None)
    if folder is None:
        return None
    cutouts = KeptCutouts(folder)
    if row_count not in (None, cutouts.manifest.row_count):
        raise InputError(
            f"{folder}: cutouts of a catalog with {cutouts.manifest.row_count} rows, not "
            f"{row_count}; remove them or put the right catalog beside them"
        )
    return cutouts


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


class KeptCutouts:
    """Kept cutouts; opening them reads no image.

    Attributes
    ----------
    folder : Path
    manifest : KeptManifest
    """

    def __init__(self, folder: Path | str):
        folder = Path(folder)
        self.folder, self.manifest = folder, KeptManifest.read(folder)
        try:
            self._index = np.load(folder / "_index.npy", mmap_mode="r", allow_pickle=False)
            if self._index.dtype != _INDEX or self._index.ndim != 1:
                raise ValueError("not an index of cutouts")
        except (OSError, EOFError, ValueError) as error:
            raise _damaged(folder / "_index.npy", error) from error

    def __len__(self):
        """Count the cutouts."""
        return len(self._index)

    @property
    def imaging(self) -> Imaging:
        """What the cutouts show."""
        return self.manifest.imaging

    @property
    def rows(self) -> np.ndarray:
        """Rows of the catalog that have a cutout: int64, ascending."""
        return np.asarray(self._index["row"])

    @property
    def positions(self) -> np.ndarray:
        """Positions of the cutouts, degrees, shape (N, 2), in the order of `rows`."""
        return np.column_stack([self._index["ra"], self._index["dec"]])

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cutouts of rows of the catalog, in the order asked for.

        Parameters
        ----------
        rows : array of int64, shape (N,)

        Returns
        -------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            Zero where there is none.
        have : array of bool, shape (N,)
            Whether there is one.
        """
        rows = np.asarray(rows, np.int64)
        places = np.searchsorted(self._index["row"], rows)
        have = places < len(self._index)
        have[have] = self._index["row"][places[have]] == rows[have]
        cutouts, _ = empty_cutouts(len(rows))
        cutouts[have] = self._read(places[have])
        return cutouts, have

    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cutouts at positions; see `KeptSource.fetch`."""
        cutouts, flags = empty_cutouts(len(positions))
        places = self._known.match(positions)
        matched = places >= 0
        if not matched.all():
            what = "no cutout was kept within 0.5 arcsec of the position"
            give_reason(Flag.NO_COVERAGE, self.folder, what, int(np.count_nonzero(~matched)))
        cutouts[matched] = self._read(places[matched])
        flags[:] = Flag.NO_COVERAGE
        flags[matched] = self._index["flags"][places[matched]] & _OF_IMAGES
        return cutouts, flags

    @cached_property
    def _known(self) -> KnownPositions:
        """The positions of the index."""
        return KnownPositions(np.column_stack([self._index["ra"], self._index["dec"]]))

    def _read(self, places: np.ndarray) -> np.ndarray:
        """Return the cutouts at places of the index; each row group is read once."""
        cutouts = np.empty((len(places), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
        part, place = self._index["part"][places], self._index["place"][places]
        for number in np.unique(part):
            path = part_path(self.folder, number)
            of_part = np.flatnonzero(part == number)
            try:
                with pq.ParquetFile(path) as file:
                    for group in np.unique(place[of_part] // _GROUP).tolist():
                        wanted = of_part[place[of_part] // _GROUP == group]
                        table = file.read_row_group(group, columns=["cutout"])
                        cutouts[wanted] = _images(table)[place[wanted] % _GROUP]
            except (OSError, ValueError, IndexError, pa.ArrowException) as error:
                raise _damaged(path, error) from error
        return cutouts


_OF_IMAGES = int(Flag.PARTIAL_COVERAGE | Flag.MASKED_PIXELS)
"""Flags that the images gave, and not the weights of that run."""


class KeptSource:
    """Kept cutouts as a source: other weights score them again without any image.

    A position has the cutout that was kept within 0.5" of it, or else the flag NO_COVERAGE.

    Parameters
    ----------
    output : path
        The annotated catalog that they were kept with.

    Raises
    ------
    InputError
        If none were kept.
    """

    connections: int | None = None

    def __init__(self, output: str | Path):
        output = Path(output).expanduser()
        store = open_kept(output)
        if store is None:
            raise InputError(
                f"{output}: no cutouts were kept with it; run lsbg classify with --keep-cutouts"
            )
        self._kept = store
        self.spec, self.imaging = f"kept:{output.absolute()}", store.imaging

    @classmethod
    def from_spec(cls, detail: str, **options) -> "KeptSource":
        """Open ``kept:ANNOTATED``; it has no options.

        Parameters
        ----------
        detail : str
            Path of the annotated catalog.
        **options
            Must be empty.

        Returns
        -------
        KeptSource

        Raises
        ------
        InputError
            If an option is given, or the catalog has no cutouts beside it.
        """
        check_options("kept", options, ())
        return cls(detail)

    @property
    def positions(self) -> np.ndarray:
        """Positions of the cutouts, degrees, shape (N, 2)."""
        return self._kept.positions

    def fingerprint(self) -> str:
        """Return what changes when the cutouts do; see `CutoutSource`."""
        index = (self._kept.folder / "_index.npy").stat()
        return f"{len(self._kept)} cutouts, {index.st_mtime_ns}"

    def group(self, positions: np.ndarray) -> None:
        """Return None: the order does not matter."""

    @flags_bad_positions
    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the kept cutout of each position; see `CutoutSource.fetch`."""
        return self._kept.fetch(positions)


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
        row_group_size=_GROUP,
        use_dictionary=False,
        write_statistics=False,
    )
    write_whole(path, sink.getvalue().to_pybytes())


def part_rows(path: Path) -> np.ndarray:
    """Return the rows of the catalog that a file of cutouts has."""
    return _read_columns(path, ["row"])["row"].to_numpy()


def write_index(folder: Path):
    """Write the index of all files of cutouts in a folder."""
    entries = [np.empty(0, _INDEX)]
    for number in part_numbers(folder):
        table = _read_columns(part_path(folder, number), ["row", "ra", "dec", "flags"])
        entry = np.empty(table.num_rows, _INDEX)
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
        raise _damaged(path, error) from error


def _images(table: pa.Table) -> np.ndarray:
    """Return the cutouts of a row group."""
    column = table["cutout"].combine_chunks()
    if column.type != pa.binary(_BYTES) or column.null_count:
        raise ValueError("no cutouts of 64x64x3")
    flat = np.frombuffer(column.buffers()[1], np.uint8)
    first = column.offset * _BYTES
    return flat[first : first + len(column) * _BYTES].reshape(-1, CUTOUT_SIZE, CUTOUT_SIZE, 3)


def _damaged(path: Path, error: Exception) -> InputError:
    reason = one_line(error)
    return InputError(f"{path}: damaged ({reason}); run lsbg classify --keep-cutouts again")
