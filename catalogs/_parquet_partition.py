"""One file of a folder of Parquet files, or of a HATS catalog, as a worker reads and writes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs._parquet_files import Part, parts_of
from catalogs._parquet_write import text_lengths, write_part
from catalogs.partitions import Annotation, Partition, Values
from catalogs.positions import PositionColumns

if TYPE_CHECKING:
    from catalogs.parquet import ParquetCatalog


@dataclass(frozen=True)
class ParquetPartition(Partition):
    """A file of Parquet; see `catalogs.partitions.Partition`.

    Attributes
    ----------
    position_columns : PositionColumns
        As found in the whole catalog.
    """

    position_columns: PositionColumns

    def open(self) -> "ParquetCatalog":
        """Open the file alone; see `Partition.open`."""
        from catalogs.parquet import ParquetCatalog

        return ParquetCatalog.with_positions(self.path, self.position_columns)

    def text_lengths(self) -> dict[str, int]:
        """Return the characters of the longest value of each column of texts."""
        return text_lengths(parts_of(self.path))

    def write_annotated(self, output: Path, values: Values, annotation: Annotation):
        """Write the file again with columns added; see `Partition.write_annotated`."""
        (part,) = parts_of(self.path)
        lengths = None if annotation.lengths is None else dict(annotation.lengths)
        write_part(part, output, annotation.columns, values, annotation.provenance, lengths)


def partition_of(
    part: Part, folder: Path, position_columns: PositionColumns, below: Path
) -> ParquetPartition:
    """Describe a file of a folder.

    Parameters
    ----------
    part : Part
    folder : Path
        The folder of the data.
    position_columns : PositionColumns
    below : Path
        Where the folder of data is in the output.

    Returns
    -------
    ParquetPartition
    """
    name = part.path.relative_to(folder)
    place = str(below / name)
    return ParquetPartition(
        part.path.absolute(), str(name), place, part.first, part.rows, position_columns
    )
