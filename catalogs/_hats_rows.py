"""Writes a HATS catalog with some of its rows: fewer partitions, and a new description of them."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from catalogs._hats_pixels import PARTITIONS, pixel_of
from catalogs.output import files_below
from catalogs.parquet import ParquetCatalog

_MAPS = ("skymap.fits", "skymap.*.fits", "point_map.fits")
_OF_MAPS = ("hats_skymap_order", "hats_skymap_alt_orders")
_DATASET = "dataset"


def write_chosen(old: Path, new: Path, data: ParquetCatalog, properties: dict, keep: np.ndarray):
    """Write the partitions that keep a row, and what describes them.

    Maps of how many rows lie where are left out.

    Parameters
    ----------
    old, new : Path
        The catalog, and the folder of the new one, to which other files have been copied.
    data : ParquetCatalog
        Of the partitions.
    properties : dict
        Of the catalog, by their names in the file.
    keep : array of bool, shape (rows,)
    """
    data.write_rows(new / _DATASET, keep)
    for pattern in _MAPS:
        for path in new.glob(pattern):
            path.unlink()
    pixels = _without_empty(new / _DATASET)
    properties = {key: value for key, value in properties.items() if key not in _OF_MAPS}
    properties["hats_nrows"] = int(np.count_nonzero(keep))
    _describe(old, new, pixels, properties)


def _without_empty(dataset: Path) -> list[tuple[int, int]]:
    """Remove partitions without rows, but not the last one; return order and pixel of the others.

    A HATS catalog must have a partition.
    """
    rows: dict[tuple[int, int], int] = {}
    files: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(files_below(dataset)):
        pixel = pixel_of(path.relative_to(dataset))
        if pixel is not None and path.suffix == ".parquet":
            rows[pixel] = rows.get(pixel, 0) + pq.read_metadata(path).num_rows
            files.setdefault(pixel, []).append(path)
    remaining = [pixel for pixel in files if rows[pixel]] or list(files)[:1]
    for pixel in files.keys() - set(remaining):
        for path in files[pixel]:
            path.unlink()
    for folder in sorted(dataset.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return remaining


def _describe(old: Path, new: Path, pixels: list[tuple[int, int]], properties: dict):
    """Write the list of partitions, the summaries that the input has too, and the properties."""
    import hats.io
    from hats.catalog import PartitionInfo, TableProperties
    from hats.io.size_estimates import estimate_dir_size
    from hats.pixel_math import HealpixPixel

    info = PartitionInfo.from_healpix([HealpixPixel(*pixel) for pixel in pixels])
    if (old / PARTITIONS).is_file():
        info.write_to_file(new / PARTITIONS)
    some = properties["hats_nrows"] > 0  # without rows there is nothing to show or to sum up
    hats.io.write_parquet_metadata(
        new,
        create_metadata=(old / _DATASET / "_metadata").is_file(),
        create_thumbnail=some and (old / "data_thumbnail.parquet").is_file(),
        create_per_partition_stats=some and (old / "per_partition_statistics.parquet").is_file(),
    )
    common = Path(_DATASET) / "_common_metadata"
    if (old / common).is_file():
        shutil.copyfile(old / common, new / common)
    properties["hats_order"] = info.get_highest_order()
    if "moc_sky_fraction" in properties:
        properties["moc_sky_fraction"] = f"{info.calculate_fractional_coverage():.5f}"
    properties["hats_estsize"] = estimate_dir_size(new, divisor=1024)
    TableProperties(**properties).to_properties_file(new)
