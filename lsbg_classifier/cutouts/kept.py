"""Cutouts that a run has kept beside its output: by row of the catalog, or by position.

`kept_files` says how they lie in their folder.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError
from catalogs.flags import Flag
from catalogs.matching import KnownPositions
from lsbg_classifier.cutouts.kept_files import (
    GROUP,
    INDEX,
    KeptManifest,
    damaged,
    images_of,
    is_kept,
    kept_folder,
    part_path,
)
from lsbg_classifier.cutouts.source import check_options, empty_cutouts, flags_bad_positions
from lsbg_classifier.reasons import give_reason
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging


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
            if self._index.dtype != INDEX or self._index.ndim != 1:
                raise ValueError("not an index of cutouts")
        except (OSError, EOFError, ValueError) as error:
            raise damaged(folder / "_index.npy", error) from error

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
        """The same, to find the nearest of."""
        return KnownPositions(self.positions)

    def _read(self, places: np.ndarray) -> np.ndarray:
        """Return the cutouts at places of the index; each row group is read once."""
        cutouts = np.empty((len(places), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
        part, place = self._index["part"][places], self._index["place"][places]
        for number in np.unique(part):
            path = part_path(self.folder, number)
            of_part = np.flatnonzero(part == number)
            try:
                with pq.ParquetFile(path) as file:
                    for group in np.unique(place[of_part] // GROUP).tolist():
                        wanted = of_part[place[of_part] // GROUP == group]
                        table = file.read_row_group(group, columns=["cutout"])
                        cutouts[wanted] = images_of(table)[place[wanted] % GROUP]
            except (OSError, ValueError, IndexError, pa.ArrowException) as error:
                raise damaged(path, error) from error
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
