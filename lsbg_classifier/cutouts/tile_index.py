"""The way from a position to the tiles of a folder that cover it."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from catalogs.errors import InputError
from catalogs.fits_headers import UNREADABLE
from catalogs.positions import unit_vectors
from lsbg_classifier.cutouts.geometry import SkyGrid
from lsbg_classifier.cutouts.layouts import compile_pattern
from lsbg_classifier.cutouts.sky_noise import measure_noise
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_folder import open_folder
from lsbg_classifier.cutouts.tile_groups import Tile, group_tiles, images_for
from lsbg_classifier.cutouts.tile_memory import INDEX_NAME
from lsbg_classifier.cutouts.tile_scan import Scan, scan_folder
from lsbg_classifier.surveys import Survey, survey_named

_NEAREST_TILES = 8
"""Tiles around a position that are looked for at first; more where all of these are near."""

_BARELY = 1e-3
"""Depth, in pixels, of a position that only some bands of a tile cover."""


class TileIndex:
    """The tiles of a folder, and the way from a position to its tiles.

    Attributes
    ----------
    scan : Scan
        What the folder holds.
    tiles : list of Tile
    survey : Survey
        Whose colours are made of them.
    """

    def __init__(self, scan: Scan, tiles: list[Tile], survey: Survey):
        self.scan, self.tiles, self.survey = scan, tiles, survey
        for tile in tiles:
            tile.images.update(images_for(scan, tile, survey))
        centres, radii = zip(*(_circle(tile) for tile in tiles), strict=True)
        self._tree = cKDTree(np.array(centres))
        self._reach = 2 * np.sin(max(radii) / 2) * 1.001
        self._noises: dict[tuple, float | None] = {}

    @property
    def folder(self):
        """The folder of the tiles."""
        return self.scan.folder

    @property
    def fingerprint(self) -> str:
        """A text that stands for the names, sizes and times of change of the images."""
        return self.scan.fingerprint

    @classmethod
    def of_folder(
        cls,
        folder: Path | str,
        survey: str | None = None,
        pattern: str | None = None,
        *,
        all_files: bool = False,
    ) -> "TileIndex":
        """Index a folder, a path or a URL, reading only files that changed since the last time.

        The index is kept beside the tiles, or in the user's cache where that is not writable.

        Parameters
        ----------
        folder : path or str
        survey : str, optional
            Name of the survey whose colours are made, or a ``.toml`` file that describes it.
        pattern : str, optional
            How the files are named; see `layouts.compile_pattern`. Else the survey's own, if its
            file has one.
        all_files : bool
            As for `scan_folder`.

        Raises
        ------
        InputError
            If the folder holds no tiles, tiles of several surveys and none is named, a tile that
            is truncated or not readable, two images of one band and place, or images whose
            headers contradict themselves or the survey.
        """
        chosen = None if survey is None else survey_named(survey)
        if pattern is None and chosen is not None:
            pattern = chosen.tiles or None
        compiled = compile_pattern(pattern) if pattern else None
        scan = scan_folder(open_folder(folder), compiled, all_files=all_files)
        try:
            chosen = chosen or _survey_of(scan)
            return cls(scan, group_tiles(scan), chosen)
        except UNREADABLE as error:
            raise InputError(
                f"{folder}: the record of its tiles in {INDEX_NAME} is wrong; remove that file"
            ) from error

    def noise_of(self, image: ScienceImage) -> float | None:
        """Return the noise of an image in counts; it is measured once, see `measure_noise`.

        Parameters
        ----------
        image : ScienceImage
            Of one of the tiles.

        Returns
        -------
        float or None
        """
        key = image.path, image.extension, image.plane
        if key not in self._noises:
            self._noises[key] = measure_noise(self.folder, image)
        return self._noises[key]

    def rank(self, positions: np.ndarray, bands: tuple[str, ...] = ()) -> np.ndarray:
        """Find all tiles that cover each position, the best first.

        Tiles that have all of the bands go before those that lack one; among these, the tile in
        which the position lies deepest goes first.

        Parameters
        ----------
        positions : array of float64, shape (N, 2)
            Degrees.
        bands : tuple of str

        Returns
        -------
        array of int32, shape (N, k)
            Indices into `tiles`, padded with -1; k is at least 1.
        """
        near = self._near(positions)
        depth = np.full(near.shape, -1.0)
        for number in np.unique(near[near >= 0]):
            rows, columns = np.nonzero(near == number)
            depth[rows, columns] = _depth(self.tiles[number], positions[rows])
        near[depth <= 0] = -1
        lacks = np.array([not set(bands) <= set(tile.images) for tile in self.tiles])
        order = np.lexsort((-depth, lacks[near], near < 0), axis=1)
        return np.take_along_axis(near, order, axis=1)

    def is_first(self, number: int, positions: np.ndarray) -> np.ndarray:
        """Tell which positions a tile covers, and no tile of a lower number does.

        Parameters
        ----------
        number : int
            Index into `tiles`.
        positions : array of float64, shape (N, 2)
            Degrees.

        Returns
        -------
        array of bool, shape (N,)
        """
        covering = self.rank(positions)
        lowest = np.where(covering < 0, len(self.tiles), covering).min(axis=1)
        return lowest == number

    def _near(self, positions) -> np.ndarray:
        """Pick the tiles whose circles may hold each position, padded with -1; shape (N, k)."""
        vectors, count = unit_vectors(positions), _NEAREST_TILES
        while True:
            count = min(count, len(self.tiles))
            _, near = self._tree.query(vectors, k=count, distance_upper_bound=self._reach)
            near = np.reshape(near, (len(positions), count))
            if count == len(self.tiles) or (near[:, -1] == len(self.tiles)).all():
                return np.where(near == len(self.tiles), -1, near).astype(np.int32)
            count *= 2


def _survey_of(scan: Scan) -> Survey:
    """Return the survey that the names of the files tell."""
    paths = defaultdict(list)
    for path in scan.images:
        paths[scan.names[path].layout.survey].append(path)
    names = sorted(paths, key=lambda name: (-len(paths[name]), name))
    if len(names) > 1:
        counts = ", ".join(
            f"{len(paths[name])} of {name} such as {paths[name][0]}" for name in names
        )
        raise InputError(
            f"{scan.folder}: images of several surveys: {counts}; put each survey in a folder, "
            "take out what does not belong here, or name the one whose colours to make with "
            "--survey"
        )
    return survey_named(names[0])


def _circle(tile: Tile) -> tuple[np.ndarray, float]:
    """Centre (unit vector) and radius (radians) of a circle around all bands of the tile."""
    vectors = unit_vectors(np.concatenate([grid.outline() for grid in tile.grids]))
    cosines = vectors[1:] @ vectors[0]
    return vectors[0], float(np.arccos(np.clip(cosines, -1, 1)).max())


def _depth(tile: Tile, positions: np.ndarray) -> np.ndarray:
    """Return the pixels from each position to the nearest edge of any band, negative outside."""
    distances = np.array([_distance_to_edge(grid, positions) for grid in tile.grids])
    least, most = distances.min(axis=0), distances.max(axis=0)
    return np.where((least <= 0) & (most > 0), _BARELY, least)


def _distance_to_edge(grid: SkyGrid, positions: np.ndarray) -> np.ndarray:
    """Pixels from each position to the nearest edge, negative outside."""
    x, y = grid.pixels_of(positions[:, 0], positions[:, 1])
    distance = np.minimum.reduce([x + 0.5, grid.width - 0.5 - x, y + 0.5, grid.height - 0.5 - y])
    return np.where(np.isfinite(distance), distance, -1.0)
