"""Whether a HATS catalog has all its files, and their points lie in the pixels of their names."""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from catalogs._parquet_partition import ParquetPartition
from catalogs.errors import InputError
from catalogs.parquet import ParquetCatalog

_PIXEL = re.compile(r"Norder=(\d+)/(?:Dir=\d+/)?Npix=(\d+)")
PARTITIONS = "partition_info.csv"
"""Name of the file that lists the pixels of a catalog."""

_EDGE_DEGREES = 1e-6
"""Points this close to a pixel are taken for points in it: they may have been rounded."""


def pixel_of(path: Path) -> tuple[int, int] | None:
    """Return the HEALPix order and pixel that the path of a file names; None: it names none.

    Parameters
    ----------
    path : Path
        Such as ``Norder=3/Dir=0/Npix=12.parquet``, also with parts of a pixel in a folder of it.

    Returns
    -------
    (int, int) or None

    Examples
    --------
    >>> from pathlib import Path
    >>> from catalogs._hats_pixels import pixel_of
    >>> pixel_of(Path("dataset/Norder=3/Dir=0/Npix=12.parquet"))
    (3, 12)
    """
    match = _PIXEL.search(path.as_posix())
    return None if match is None else (int(match[1]), int(match[2]))


def check_complete(main: Path, paths: Iterable[Path]):
    """Refuse a catalog that lacks the file of a pixel, as after a copy that was stopped.

    Parameters
    ----------
    main : Path
        The folder of the catalog; where it has no list of its pixels, nothing is checked.
    paths : iterable of Path
        The files that are there.

    Raises
    ------
    InputError
        If a pixel of the list has no file, or the list cannot be read.
    """
    listing = main / PARTITIONS
    if not listing.is_file():
        return
    try:
        with open(listing, newline="", encoding="utf-8") as file:
            listed = {(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(file)}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{listing}: not a list of HEALPix pixels; copy it again") from error
    if missing := sorted(listed - {pixel_of(path) for path in paths}):
        order, pixel = missing[0]
        raise InputError(
            f"{main}: the files of {len(missing)} of {len(listed)} pixels in {PARTITIONS} are "
            f"missing, such as that of Norder={order}, Npix={pixel}; copy the catalog again"
        )


class PixelChecked:
    """Reads positions of a HATS catalog, and refuses files with points of other pixels.

    A search of the sky opens the files of its pixels alone, and would miss such points.

    Parameters
    ----------
    data : ParquetCatalog
        The folder ``dataset``.
    """

    def __init__(self, data: ParquetCatalog):
        self._paths, self._read = data.paths, data.read_positions
        self._starts = [0, *accumulate(data.row_counts)]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return positions; see `catalogs.Catalog`.

        Parameters
        ----------
        start, stop : int
            Rows [start, stop), from 0.

        Returns
        -------
        array of float64, shape (stop - start, 2)
            Degrees.

        Raises
        ------
        InputError
            If a point is outside of the pixel that the name of its file says.
        """
        positions = self._read(start, stop)
        first = max(0, bisect_right(self._starts, start) - 1)
        for number in range(first, len(self._starts) - 1):
            low, high = self._starts[number], self._starts[number + 1]
            if low >= stop:
                break
            part = positions[max(low, start) - start : min(high, stop) - start]
            _check(self._paths[number], part)
        return positions


@dataclass(frozen=True)
class PixelPartition(ParquetPartition):
    """A file of a HATS catalog whose points must lie in its pixel."""

    def open(self) -> ParquetCatalog:
        """Open the file alone; see `catalogs.partitions.Partition.open`."""
        catalog = super().open()
        catalog.read_positions = PixelChecked(catalog).read_positions  # type: ignore[method-assign]
        return catalog


def _check(path: Path, positions: np.ndarray):
    """Refuse points outside of the pixel of a file; files of other names are left alone."""
    named = pixel_of(path)
    ra, dec = positions.T
    valid = np.isfinite(ra) & np.isfinite(dec) & (abs(dec) <= 90)
    if named is None or not valid.any():
        return
    outside = np.flatnonzero(valid)[~_inside(*named, ra[valid], dec[valid])]
    if len(outside):
        place = positions[outside[0]]
        raise InputError(
            f"{path}: {len(outside)} of its points are outside of the HEALPix pixel of its name, "
            f"such as {place[0]:.6f} {place[1]:+.6f}; import the catalog anew with hats-import"
        )


def _inside(order: int, pixel: int, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Tell which points are in a pixel, or within rounding of it."""
    from hats.pixel_math.healpix_shim import radec2pix

    inside = radec2pix(order, ra, dec) == pixel
    for across, up in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        rest = np.flatnonzero(~inside)
        if not len(rest):
            break
        moved_dec = np.clip(dec[rest] + up * _EDGE_DEGREES, -90, 90)
        inside[rest] = radec2pix(order, ra[rest] + across * _EDGE_DEGREES, moved_dec) == pixel
    return inside
