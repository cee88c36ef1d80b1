"""The cutouts of a report: those kept by the run, the rest from a source; sheets of thumbnails."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs.flags import NOT_SCORED
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.cutouts.kept import KeptCutouts, open_kept
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging
from pipeline.report.candidates import Candidates

SHEET = 5
"""Thumbnails in a row, and rows, of a sheet: large enough for few files, small to decode."""

_QUALITY = 90
"""Of JPEG, as the sky viewer's: 2 kB a thumbnail, and the faint is still there."""

_CHUNK = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pictures:
    """Where the cutouts of a catalog's rows come from.

    Attributes
    ----------
    kept : KeptCutouts or None
        Those that the run kept: asked first.
    source : CutoutSource or None
        Asked for what was not kept.
    positions : array of float64, shape (rows, 2)
        Degrees.
    """

    kept: KeptCutouts | None
    source: CutoutSource | None
    positions: np.ndarray

    @classmethod
    def open(
        cls, candidates: Candidates, spec: str | None, source_options: Mapping[str, object]
    ) -> "Pictures":
        """Open the kept cutouts of a catalog, and the source of others if one is named.

        Parameters
        ----------
        candidates : Candidates
        spec : str or None
            A source as for `lsbg_classifier.open_source`; None: kept cutouts alone.
        source_options : mapping
            Options of that source; not used without one.

        Returns
        -------
        Pictures

        Raises
        ------
        InputError
            If the kept cutouts are not of this catalog, or the source cannot be opened.
        """
        catalog = candidates.catalog
        kept_cutouts = open_kept(catalog.path, row_count=catalog.row_count)
        source = None if spec is None else open_source(spec, **source_options)
        return cls(kept_cutouts, source, candidates.positions)

    @property
    def imaging(self) -> Imaging | None:
        """What the cutouts show, where there are any."""
        if self.kept is not None:
            return self.kept.imaging
        return None if self.source is None else self.source.imaging

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cutouts of some rows, uint8 (N, 64, 64, 3), and which there are, bool (N,)."""
        cutouts = np.zeros((len(rows), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
        have = np.zeros(len(rows), bool)
        if self.kept is not None:
            cutouts, have = self.kept.read(rows)
        missing = np.flatnonzero(~have & np.isfinite(self.positions[rows]).all(axis=1))
        if self.source is not None and len(missing):
            cutouts[missing], flags = fetch_usable(self.source.fetch, self.positions[rows[missing]])
            have[missing] = flags & NOT_SCORED == 0
        return cutouts, have

    def collect(self, rows: np.ndarray, path: Path, progress: Progress | None = None):
        """Read the cutouts of many rows into a file.

        Parameters
        ----------
        rows : array of int64, shape (N,)
            Numbers of rows in the catalog.
        path : Path
            The file, which is mapped into memory; an earlier one is replaced.
        progress : callable, optional
            Called with (rows read, rows in all).

        Returns
        -------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            On disk, at `path`; zeros where there is no image.
        have : array of bool, shape (N,)
            Where there is an image.
        """
        cutouts = np.memmap(path, np.uint8, "w+", shape=(len(rows), CUTOUT_SIZE, CUTOUT_SIZE, 3))
        have = np.zeros(len(rows), bool)
        done = 0

        def read(places):
            cutouts[places], have[places] = self.read(rows[places])
            return len(places)

        order = self.order(rows)
        chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            for count in pool.map(read, chunks):
                done += count
                if progress is not None:
                    progress(done, len(rows))
        return cutouts, have

    def order(self, rows: np.ndarray) -> np.ndarray:
        """Return the order in which rows are best read: neighbours share an image, or a file."""
        order = np.argsort(rows, kind="stable")
        if self.source is None:
            return order
        usable = np.isfinite(self.positions[rows]).all(axis=1)
        groups = self.source.group(self.positions[rows[usable]])
        if groups is None:
            return order
        of_row = np.full(len(rows), -1)
        of_row[usable] = groups
        return np.lexsort((rows, of_row))


def write_sheets(cutouts: np.ndarray, folder: Path):
    """Write JPEG sheets of 5x5 cutouts, named by their number, in the order of the cutouts.

    Parameters
    ----------
    cutouts : array of uint8, shape (N, 64, 64, 3)
    folder : Path
        Made here.
    """
    from PIL import Image

    folder.mkdir()
    for number, start in enumerate(range(0, len(cutouts), SHEET**2)):
        sheet = np.zeros((SHEET**2, CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
        part = cutouts[start : start + SHEET**2]
        sheet[: len(part)] = part
        grid = sheet.reshape(SHEET, SHEET, CUTOUT_SIZE, CUTOUT_SIZE, 3).swapaxes(1, 2)
        image = Image.fromarray(grid.reshape(SHEET * CUTOUT_SIZE, SHEET * CUTOUT_SIZE, 3))
        image.save(folder / f"{number}.jpg", quality=_QUALITY, subsampling=0, optimize=True)
