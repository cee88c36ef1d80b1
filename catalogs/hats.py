"""HATS catalogs: Parquet files by HEALPix pixel, and files beside them that describe the whole.

The data are read and written as any folder of Parquet; the library ``hats`` writes what describes
them.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs._hats_pixels import PixelChecked, PixelPartition, check_complete
from catalogs._parquet_partition import ParquetPartition
from catalogs.columns import AddedColumn, already_there
from catalogs.errors import InputError, one_line
from catalogs.extras import not_installed
from catalogs.output import written_whole
from catalogs.parquet import ParquetCatalog
from catalogs.partitions import Annotation
from catalogs.voparquet import extend

_PROPERTIES = ("hats.properties", "properties")
_COLLECTION = "collection.properties"
HATS_MARKS = (*_PROPERTIES, _COLLECTION)
"""Names of files that tell a HATS catalog from other folders of Parquet files."""

_DATASET, _THUMBNAIL = "dataset", "data_thumbnail.parquet"
_STATISTICS = "per_partition_statistics.parquet"
_SCORED_TYPES = ("object", "source")
_OURS = "lsbg."


def is_hats(path: Path) -> bool:
    """Tell whether a folder is a HATS catalog, or a collection of one and what belongs to it."""
    described = any((path / name).is_file() for name in _PROPERTIES)
    return (path / _COLLECTION).is_file() or (described and (path / _DATASET).is_dir())


@dataclass(frozen=True)
class _Layout:
    """Where things are in a HATS folder.

    Attributes
    ----------
    root : Path
        What the user names: the catalog itself, or the collection that it is in.
    main : Path
        The catalog of objects or sources.
    margins : tuple of Path
        Copies of rows near the edges of partitions.
    """

    root: Path
    main: Path
    margins: tuple[Path, ...]


class HatsCatalog:
    """A HATS catalog, alone or in a collection; see `catalogs.Catalog`.

    The columns are added to each partition's file, in place; margins, which repeat rows of other
    partitions, are left out of the output.
    """

    format = "hats"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for files with several tables, HATS has one")
        self.path = path
        self._layout, self._properties = _described(path)
        by_pixel = ra is None and dec is None
        if by_pixel:
            ra, dec = self._properties.ra_column, self._properties.dec_column
            position_unit = position_unit or "deg"
        self._data = ParquetCatalog(
            self._layout.main / _DATASET, ra=ra, dec=dec, position_unit=position_unit
        )
        check_complete(self._layout.main, self._data.paths)
        self.row_count = self._data.row_count
        self.column_names = self._data.column_names
        self.position_columns = self._data.position_columns
        self.read_column, self.read_columns = self._data.read_column, self._data.read_columns
        self._by_pixel = by_pixel
        positions = PixelChecked(self._data) if by_pixel else self._data
        self.read_positions, self.fingerprint = positions.read_positions, self._data.fingerprint
        self.column_kind, self.read_exact = self._data.column_kind, self._data.read_exact
        self.check_annotated = self._data.check_annotated
        self.describe_columns = self._data.describe_columns
        self.exact_values = self._data.exact_values

    def provenance(self) -> dict[str, str]:
        """Return what the properties say of our columns, by the keys of `write_annotated`."""
        properties = self._properties.extra_dict()
        return {
            key.removeprefix(_OURS): str(value)
            for key, value in properties.items()
            if key.startswith(_OURS)
        }

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the catalog again with some of the rows; see `catalogs.Catalog`."""
        from catalogs._hats_rows import write_chosen

        layout = self._layout
        new = layout.main.relative_to(layout.root)
        properties = self._properties.model_dump(by_alias=True, exclude_none=True)
        with written_whole(output) as partial:
            shutil.copytree(layout.root, partial, ignore=self._ignored)
            write_chosen(layout.main, partial / new, self._data, properties, keep)
            if (layout.root / _COLLECTION).is_file():
                _write_collection(layout.root, partial)

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
        """Write the catalog again with columns added; see `catalogs.Catalog`."""
        layout = self._layout
        main = layout.main.relative_to(layout.root)
        with written_whole(output) as partial:
            shutil.copytree(layout.root, partial, ignore=self._ignored)
            self._data.write_annotated(
                partial / main / _DATASET,
                columns,
                values,
                provenance,
                overwrite_columns=overwrite_columns,
                vo_metadata=vo_metadata,
            )
            self._describe(partial / main, columns, provenance)
            if (layout.root / _COLLECTION).is_file():
                _write_collection(layout.root, partial)

    def partitions(self) -> list[ParquetPartition]:
        """List the files; see `catalogs.partitions.PartitionedCatalog`."""
        layout = self._layout
        files = self._data.partitions(layout.main.relative_to(layout.root) / _DATASET)
        return [PixelPartition(**vars(file)) for file in files] if self._by_pixel else files

    def write_rest(self, output: Path, annotation: Annotation):
        """Write what describes the catalog; see `catalogs.partitions.PartitionedCatalog`."""
        layout = self._layout
        main = output / layout.main.relative_to(layout.root)
        shutil.copytree(layout.root, output, ignore=self._ignored, dirs_exist_ok=True)
        self._data.write_rest(main / _DATASET, annotation)
        self._describe(main, annotation.columns, annotation.provenance)
        if (layout.root / _COLLECTION).is_file():
            _write_collection(layout.root, output)

    def _describe(self, main: Path, columns, provenance):
        """Write the summaries and the properties of the new catalog."""
        self._write_summaries(main, columns)
        self._write_properties(main, columns, provenance)

    def _ignored(self, folder, names):
        """Name the files that are not copied: those written again, and margins."""
        main = self._layout.main
        left = {main / name for name in (_DATASET, _THUMBNAIL, _STATISTICS, *_PROPERTIES)}
        left |= {*self._layout.margins, self._layout.root / _COLLECTION}
        return [name for name in names if Path(folder) / name in left]

    def _write_summaries(self, main: Path, columns):
        """Write the summaries of all partitions that the input has too.

        Of empty partitions ``hats`` can make no thumbnail and no statistics: these are left out.
        """
        import hats.io

        old = self._layout.main
        whole = all(self._data.row_counts)
        hats.io.write_parquet_metadata(
            main,
            create_metadata=(old / _DATASET / "_metadata").is_file(),
            create_thumbnail=whole and (old / _THUMBNAIL).is_file(),
            create_per_partition_stats=whole and (old / _STATISTICS).is_file(),
        )
        common = Path(_DATASET) / "_common_metadata"
        if (old / common).is_file():
            before, after = pq.read_schema(old / common), pq.read_schema(main / common)
            dropped = already_there(columns, before.names)
            metadata = extend(before.metadata or {}, columns, dropped)
            pq.write_metadata(pa.schema(after, metadata | (after.metadata or {})), main / common)

    def _write_properties(self, main: Path, columns, provenance):
        """Describe the new catalog: the old properties, and the provenance."""
        from hats.catalog import TableProperties
        from hats.io.size_estimates import estimate_dir_size

        properties = _without_ours(self._properties)
        default = self._properties.default_columns
        if default is not None:
            new = [column.name for column in columns]
            properties["hats_cols_default"] = [*(c for c in default if c not in new), *new]
        properties["hats_estsize"] = estimate_dir_size(main, divisor=1024)
        properties.pop("hats_max_bytes", None)  # of partitions without our columns
        properties |= {f"{_OURS}{key}": value for key, value in provenance.items()}
        TableProperties(**properties).to_properties_file(main)


def _described(path: Path):
    """Find the catalog in a folder and read its properties."""
    try:
        from hats.catalog import TableProperties
        from hats.catalog.dataset.collection_properties import CollectionProperties
    except ImportError as error:
        raise not_installed(f"{path}: reading a HATS catalog needs hats", "hats") from error
    try:
        layout = _Layout(path, path, ())
        if (path / _COLLECTION).is_file():
            collection = CollectionProperties.read_from_dir(path)
            margins = tuple(path / name for name in collection.all_margins or ())
            layout = _Layout(path, path / collection.hats_primary_table_url, margins)
        properties = TableProperties.read_from_dir(layout.main)
    except (OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a readable HATS catalog ({reason})") from error
    if path not in (layout.main, *layout.main.parents) or not (layout.main / _DATASET).is_dir():
        raise InputError(
            f"{path}: the catalog {layout.main} of this HATS collection is not there; fetch the "
            "whole collection"
        )
    if properties.catalog_type not in _SCORED_TYPES:
        raise InputError(
            f"{layout.main}: a HATS {properties.catalog_type}; give a catalog of objects or sources"
        )
    return layout, properties


def _without_ours(properties) -> dict:
    """Return properties by their names in the file, without those of an earlier run."""
    values = properties.model_dump(by_alias=True, exclude_none=True)
    return {key: value for key, value in values.items() if not key.startswith(_OURS)}


def _write_collection(old: Path, new: Path):
    """Describe the new collection, which has no margins."""
    from hats.catalog.dataset.collection_properties import CollectionProperties
    from hats.io.size_estimates import estimate_dir_size

    properties = _without_ours(CollectionProperties.read_from_dir(old))
    for name in ("all_margins", "default_margin"):
        properties.pop(name, None)
    properties["hats_estsize"] = estimate_dir_size(new, divisor=1024)
    CollectionProperties(**properties).to_properties_file(new)
