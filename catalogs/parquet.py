"""Parquet files and folders of them: read positions, and write them again with columns added."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalogs._arrow_table import ArrowTable
from catalogs._parquet_files import opened, parts_of
from catalogs._parquet_read import batches_from
from catalogs._parquet_rows import write_rows
from catalogs._parquet_write import row_groups, text_lengths, write_part, writer_options
from catalogs.columns import AddedColumn
from catalogs.errors import InputError
from catalogs.output import files_below, written_whole

_OTHER_TABLES = {".fits", ".fit", ".fts", ".fz", ".csv", ".tsv", ".vot", ".ecsv", ".cat"}
_STALE = {"_metadata", "_common_metadata"}


class ParquetCatalog(ArrowTable):
    """A catalog in a Parquet file, or in all those of a folder; see `catalogs.Catalog`.

    The files of a folder are taken in the order of their relative paths, and links are followed;
    names that begin with ``_`` or ``.`` are no parts of the table.
    """

    format, title = "parquet", "Parquet"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for FITS files, Parquet has one table")
        super().__init__(path, parts_of(path), ra=ra, dec=dec, unit=position_unit)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is doubtful about a folder: tables in it that are no parts of this one."""
        if not self.path.is_dir():
            return ()
        others = sorted(
            str(file.relative_to(self.path))
            for file in files_below(self.path)
            if file.suffix.lower() in _OTHER_TABLES
        )
        if not others:
            return ()
        names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        return (f"tables in the folder that are no Parquet are copied and not scored: {names}",)

    @property
    def row_counts(self) -> list[int]:
        """Return the rows of each file."""
        return [part.rows for part in self._parts]

    def _batches(self, names: Sequence[str], start: int) -> Iterator[pa.RecordBatch]:
        return batches_from(self._parts, names, start)

    def fingerprint(self) -> str:
        """Return a sha256 over the names and contents of all parts."""
        digest = hashlib.sha256()
        for part in self._parts:
            with open(part.path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{part.path.relative_to(self.path)} {content}\n".encode())
        return digest.hexdigest()

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
        vo_metadata: bool = False,
    ):
        """Write the files again with columns added; see `catalogs.Catalog`.

        Other files of a folder are copied, but not ``_metadata``, which would not know the new
        columns. With `vo_metadata`, each file gets the VOTable of VOParquet that describes all
        its columns; one that is there already learns the new columns in any case.
        """
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        lengths = text_lengths(self._parts) if vo_metadata else None
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                target = (
                    partial / part.path.relative_to(self.path) if self.path.is_dir() else partial
                )
                write_part(part, target, columns, values, provenance, lengths)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the files again with some of the rows; see `catalogs.Catalog`."""
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                inside = self.path.is_dir()
                target = partial / part.path.relative_to(self.path) if inside else partial
                with opened(part.path) as source:
                    groups = row_groups(source, part.path)
                    options = writer_options(source.metadata, [])
                    rows = keep[part.first : part.first + part.rows]
                    write_rows(source, groups, options, rows, target)

    def _ignored(self, folder, names):
        """Name what is not copied: the parts, which are written, and stale summaries."""
        parts = {part.path for part in self._parts}
        return [name for name in names if name in _STALE or Path(folder) / name in parts]
