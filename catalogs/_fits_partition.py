"""One file of a folder of FITS tables, as a worker reads and writes it."""

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalogs.errors import InputError
from catalogs.fits import FitsCatalog
from catalogs.partitions import Annotation, Partition, Values
from catalogs.positions import PositionColumns

_OPENED_AT_ONCE = 8
"""Files that are opened at the same time: on a shared file system each takes its time."""


@dataclass(frozen=True)
class FitsPartition(Partition):
    """A FITS file; see `catalogs.partitions.Partition`.

    Attributes
    ----------
    options : tuple of (str, value)
        With which the catalog was opened.
    position_columns : PositionColumns
        As found in the whole catalog.
    """

    options: tuple[tuple[str, str | None], ...]
    position_columns: PositionColumns

    def open(self) -> FitsCatalog:
        """Open the file alone; see `Partition.open`.

        Raises
        ------
        InputError
            If its position is in other columns than before.
        """
        catalog = FitsCatalog(self.path, **dict(self.options))
        if catalog.position_columns != self.position_columns:
            raise InputError(f"{self.path}: changed while it was read; start again")
        return catalog

    def write_annotated(self, output: Path, values: Values, annotation: Annotation):
        """Write the file again with columns added; see `Partition.write_annotated`."""
        self.open().write_annotated(
            output,
            annotation.columns,
            values,
            annotation.provenance,
            overwrite_columns=annotation.overwrite_columns,
        )


def open_tables(files: Sequence[Path], options: Mapping[str, str | None]) -> list[FitsCatalog]:
    """Open FITS files, several at the same time.

    Parameters
    ----------
    files : sequence of path
    options : mapping
        Of `FitsCatalog`.

    Returns
    -------
    list of FitsCatalog
        In the order of the files.
    """
    # Filters of warnings belong to the process: threads that set and restore them would leave
    # those of another thread behind, were they not restored here.
    with (
        warnings.catch_warnings(action="ignore"),
        ThreadPoolExecutor(min(len(files), _OPENED_AT_ONCE)) as pool,
    ):
        try:
            return list(pool.map(lambda file: FitsCatalog(file, **options), files))
        finally:
            pool.shutdown(cancel_futures=True)
