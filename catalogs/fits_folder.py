"""A folder of FITS files as one catalog: DES ships one table for each tile.

Each file is written again under its own name; its rows follow those of the file before it.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from catalogs._fits_partition import FitsPartition, open_tables
from catalogs.columns import AddedColumn, shifted
from catalogs.details import ColumnDetail
from catalogs.errors import InputError
from catalogs.exact import ColumnKind, ExactValues, Wanted, joined
from catalogs.fits import FitsCatalog
from catalogs.formats import Content
from catalogs.output import PARQUET_SUFFIXES, files_below, written_whole
from catalogs.packed import PACKED_ENDINGS
from catalogs.partitions import Annotation, check_alike, joined_fingerprint

_ENDINGS = (".fits", ".fit", ".fts", ".ldac", ".cat")


def is_fits_folder(content: Content) -> bool:
    """Tell whether a folder holds FITS files and no Parquet."""
    if not content.is_folder:
        return False
    files = list(_table_files(content.path))
    parquet = any(file.suffix.lower() in PARQUET_SUFFIXES for file in content.path.rglob("*"))
    return bool(files) and not parquet


def _table_files(folder: Path) -> list[Path]:
    """Return the files whose names say FITS, in the order of their paths; not hidden ones."""
    return sorted(
        file
        for file in files_below(folder)
        if _is_table_name(file.name.lower())
        and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def _is_table_name(name: str) -> bool:
    for packed in PACKED_ENDINGS:
        name = name.removesuffix(packed)
    return name.endswith(_ENDINGS)


class FitsFolderCatalog:
    """A catalog in the FITS files of a folder; see `catalogs.Catalog`.

    Names that begin with ``_`` or ``.`` are no parts of the table. Other files of the folder are
    copied to the output.
    """

    format = "fits-folder"

    def __init__(self, path: Path, **options):
        self.path = path
        files = _table_files(path)
        if not files:
            raise InputError(f"{path}: no FITS files in this folder")
        self._options = options
        self._parts = open_tables(files, options)
        first = self._parts[0]
        for part in self._parts[1:]:
            check_alike(first.position_columns, first.path, part.position_columns, part.path)
        self._firsts = np.concatenate([[0], np.cumsum([part.row_count for part in self._parts])])
        self.row_count = int(self._firsts[-1])
        self.column_names = first.column_names
        self.position_columns = first.position_columns

    def _pieces(self, start: int, stop: int):
        """Yield the parts that hold the rows [start, stop), and which of their rows these are."""
        for part, first in zip(self._parts, self._firsts.tolist(), strict=False):
            low, high = max(start - first, 0), min(stop - first, part.row_count)
            if low < high:
                yield part, low, high

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self.read_columns((name,), start, stop)[0]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        pieces = [self._parts[0].read_columns(names, 0, 0)]
        pieces += [part.read_columns(names, *rows) for part, *rows in self._pieces(start, stop)]
        return [np.concatenate(column) for column in zip(*pieces, strict=True)]

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds, the same in all files; see `catalogs.Catalog`."""
        kinds = {part.column_kind(name) for part in self._parts}
        if len(kinds) > 1:
            raise InputError(f"{self.path}: {name} is not of the same type in all files")
        return kinds.pop()

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        pieces = [part.read_exact(wanted, *rows) for part, *rows in self._pieces(start, stop)]
        pieces = pieces or [self._parts[0].read_exact(wanted, 0, 0)]
        return [joined(column) for column in zip(*pieces, strict=True)]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        pieces = [part.read_positions(*rows) for part, *rows in self._pieces(start, stop)]
        return np.concatenate([np.empty((0, 2)), *pieces])

    def fingerprint(self) -> str:
        """Return a sha256 over the names and contents of all parts."""
        digests = (part.fingerprint() for part in self._parts)
        return joined_fingerprint(map(self._name, self._parts), digests)

    def _name(self, part: FitsCatalog) -> str:
        return str(Path(part.path).relative_to(self.path))

    def partitions(self) -> list[FitsPartition]:
        """List the files; see `catalogs.partitions.PartitionedCatalog`."""
        options = tuple(self._options.items())
        return [
            FitsPartition(
                part.path.absolute(), self._name(part), self._name(part), first, part.row_count,
                options, part.position_columns,
            )
            for part, first in zip(self._parts, self._firsts.tolist(), strict=False)
        ]  # fmt: skip

    def write_rest(self, output: Path, annotation: Annotation):
        """Copy the other files of the folder; see `catalogs.partitions.PartitionedCatalog`."""
        shutil.copytree(self.path, output, ignore=self._ignored, dirs_exist_ok=True)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row that all files have alike."""
        others = [set(part.describe_columns()) for part in self._parts[1:]]
        details = self._parts[0].describe_columns()
        return [detail for detail in details if all(detail in other for other in others)]

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        values = []
        for part, first in zip(self._parts, self._firsts.tolist(), strict=False):
            low, high = np.searchsorted(rows, (first, first + part.row_count))
            if low < high:
                values += part.exact_values(detail, rows[low:high] - first)
        return values

    def provenance(self) -> dict[str, str]:
        """Return what the first file says of our columns, by the keys of `write_annotated`."""
        return self._parts[0].provenance()

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that a file has already; see `catalogs.Catalog`."""
        for part in self._parts:
            part.check_annotated(columns, overwrite_columns=overwrite_columns)

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the files again with columns added; see `catalogs.Catalog`."""
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        with written_whole(output) as partial:
            shutil.copytree(self.path, partial, ignore=self._ignored)
            for part, first in zip(self._parts, self._firsts.tolist(), strict=False):
                part.write_annotated(
                    partial / part.path.relative_to(self.path),
                    columns,
                    shifted(values, first),
                    provenance,
                    overwrite_columns=overwrite_columns,
                )

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the files again with some of the rows; see `catalogs.Catalog`."""
        with written_whole(output) as partial:
            shutil.copytree(self.path, partial, ignore=self._ignored)
            for part, first in zip(self._parts, self._firsts.tolist(), strict=False):
                rows = keep[first : first + part.row_count]
                part.write_rows(partial / part.path.relative_to(self.path), rows)

    def _ignored(self, folder, names):
        """Name the files that are not copied: the tables, which are written again."""
        tables = {part.path for part in self._parts}
        return [name for name in names if Path(folder) / name in tables]
