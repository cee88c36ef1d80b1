"""Cutouts from coadd tiles, on exactly the grid of the viewer's."""

from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.remote import RemoteError
from lsbg_classifier.cutouts.colours import compress, shrink
from lsbg_classifier.cutouts.coverage import judge_gaps
from lsbg_classifier.cutouts.pixels import REACH, render
from lsbg_classifier.cutouts.sections import UnreadableImageError
from lsbg_classifier.cutouts.source import empty_cutouts, flags_bad_positions
from lsbg_classifier.cutouts.strips import OpenTile, Strip
from lsbg_classifier.cutouts.tile_index import Tile, TileIndex
from lsbg_classifier.surveys import VIEWER_SIZE, Survey, survey_named

_STRIP_ROWS = 1024
"""Rows of a tile in memory at a time."""

_TOGETHER = 32
"""Cutouts that are made at a time: threads disturb each other between steps, not within one."""

_MASKED = 0.05
"""Fraction of bad pixels in the central quarter that gets a flag."""

_COARSEST = 1.05
"""Pixels of a tile between samples, at most: more would miss what the tile holds."""

_FAILURES_IN_A_ROW = 3
"""Tiles elsewhere that cannot be fetched until there is no hope left."""


class TileSource:
    """Cutouts from a folder of coadd tiles.

    Fluxes are sampled by Lanczos-3 on the viewer's grid, coloured by its formula, and shrunk to
    64x64 by Pillow's filter, so that the same position through the viewer gives the same cutout
    up to JPEG noise. The viewer samples twice as finely as the survey's pixels; half as finely
    holds as much, changes at most one value in a hundred by more than one count of 255, and is a
    quarter of the samples. So that is done, except through JPEG and for images of finer pixels.
    Fluxes of pixels of another size than the survey's are converted to the survey's. Only the
    rows of a tile that its candidates need are read, in strips, each once.

    Parameters
    ----------
    folder : path or URL
        Holds ``*.fits`` or ``*.fits.fz``: DES tiles, HSC patches, or Legacy Surveys images in
        nanomaggies, one file a band or one cube.
    bands : str
        The three bands, blue to red.
    survey : str, optional
        Whose images they are, where the file names do not tell; the zero point, where the headers
        do not tell, and the colours are this survey's.
    jpeg : bool
        Pass the coloured image through JPEG as the viewer does before shrinking it.
    """

    connections = None

    def __init__(
        self,
        folder: str | Path,
        *,
        bands: str = "grz",
        survey: str | None = None,
        jpeg: bool = False,
    ):
        self._index = TileIndex.of_folder(folder, survey)
        self.spec = f"tiles:{self._index.folder.spec}"
        self._failures = 0
        self._survey: Survey = survey_named(survey or self._index.tiles[0].survey)
        self._bands = tuple(bands)
        self._jpeg = jpeg
        self.imaging = self._survey.imaging(self._bands)
        self._scales = np.array(self._survey.colour_scales[self._bands], np.float32)
        if not any(set(tile.images) & set(self._bands) for tile in self._index.tiles):
            raise InputError(f"{self._index.folder}: no tile in any of the bands {bands}")

    @classmethod
    def from_spec(cls, detail: str, **options) -> "TileSource":
        """Open ``tiles:FOLDER``; options are `bands`, `survey` and `jpeg`."""
        unknown = set(options) - {"bands", "survey", "jpeg"}
        if unknown:
            raise InputError(f"tiles: takes no option {', '.join(sorted(unknown))}")
        return cls(detail, **options)

    def group(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of each position's tile, -1 for none; see `CutoutSource.group`."""
        return self._index.locate(positions)

    def fingerprint(self) -> str:
        """Return what changes when an image in the folder does; see `CutoutSource`."""
        return self._index.fingerprint

    @flags_bad_positions
    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position; see `CutoutSource.fetch`."""
        positions = np.asarray(positions, np.float64)
        cutouts, flags = empty_cutouts(len(positions))
        tile_of = self._index.locate(positions)
        flags[tile_of < 0] = Flag.NO_COVERAGE
        for number in np.unique(tile_of[tile_of >= 0]):
            rows = np.flatnonzero(tile_of == number)
            tile = self._index.tiles[number]
            try:
                cutouts[rows], flags[rows] = self._cut(tile, positions[rows])
            except UnreadableImageError:
                flags[rows] = Flag.BAD_IMAGE
            except RemoteError:
                flags[rows] = Flag.FETCH_FAILED
                self._failures += 1
                if self._failures >= _FAILURES_IN_A_ROW:
                    raise
            else:
                self._failures = 0
        return cutouts, flags

    def _cut(self, tile: Tile, positions: np.ndarray):
        cutouts, flags = empty_cutouts(len(positions))
        affines = _grid_in_tile(tile, positions, self._survey.viewer_scale)
        boxes = _boxes(affines)
        side = self._side(affines)
        left, right = boxes[:, 0].min(), boxes[:, 2].max()
        with OpenTile(self._index.folder, tile, self._bands) as images:
            for rows in _strips(boxes, _STRIP_ROWS):
                low = np.array([left, boxes[rows, 1].min()])
                high = np.array([right, boxes[rows, 3].max()])
                strip = images.read(low, high)
                for part in np.split(rows, range(_TOGETHER, len(rows), _TOGETHER)):
                    cutouts[part], flags[part] = self._make(strip, boxes[part], affines[part], side)
        return cutouts, flags

    def _make(self, strip: Strip, boxes: np.ndarray, affines: np.ndarray, side: int):
        """Make some cutouts of a strip."""
        corners, (width, height) = boxes[:, :2], boxes[0, 2:] - boxes[0, :2]
        within = affines - np.eye(3)[0] * corners[:, :, None]
        images = np.empty((len(boxes), 3, side, side), np.uint8)
        gaps, masked = np.empty((len(boxes), 3)), np.empty(len(boxes))
        patch = np.empty((3, height, width), np.float32)
        render(strip.bands, corners - strip.low, within, self._scales, patch, images, gaps, masked)
        images = np.moveaxis(images, 1, -1)
        flags = judge_gaps(gaps) | np.where(masked > _MASKED, np.int16(Flag.MASKED_PIXELS), 0)
        if self._jpeg:
            images = np.array([compress(image) for image in images])
        cutouts = shrink(images)
        cutouts[(flags & NOT_SCORED) != 0] = 0
        return cutouts, flags

    def _side(self, affines: np.ndarray) -> int:
        """Return how many samples along a side hold all that the tile's pixels tell."""
        coarse = 2 * np.hypot(affines[:, 0, 1], affines[:, 1, 1]).max()
        return VIEWER_SIZE if self._jpeg or coarse > _COARSEST else VIEWER_SIZE // 2


def _grid_in_tile(tile: Tile, positions: np.ndarray, scale: float) -> np.ndarray:
    """Map the viewer's grid around each position into the tile's pixels.

    Two tangent planes are related by a projection that is affine over half an arcminute to 1e-4
    pixels, so four points on the sky fix it. Shape (N, 2, 3); see `resample`.
    """
    half = VIEWER_SIZE / 4
    reach = np.arctan(np.radians(half * scale / 3600)) * u.rad
    centre = SkyCoord(positions[:, :1], positions[:, 1:], unit="deg")
    around = centre.directional_offset_by([0, 90, 180, 270] * u.deg, reach)
    ra = np.append(positions[:, :1], around.ra.deg, axis=1)
    dec = np.append(positions[:, 1:], around.dec.deg, axis=1)
    pixels = tile.wcs().all_world2pix(ra.ravel(), dec.ravel(), 0, quiet=True)
    centre, north, east, south, west = np.reshape(pixels, (2, -1, 5)).T
    return np.stack([centre, (west - east) / (2 * half), (north - south) / (2 * half)], axis=-1)


def _boxes(affines: np.ndarray) -> np.ndarray:
    """Pixel boxes (x0, y0, x1, y1), ends excluded, that the grids and the kernel need; (N, 4).

    All are of one size.
    """
    centre = affines[:, :, 0]
    half = np.abs(affines[:, :, 1:]).sum(axis=2) * VIEWER_SIZE / 2 + REACH
    low, high = np.floor(centre - half), np.ceil(centre + half) + 1
    return np.concatenate([low, low + (high - low).max(axis=0)], axis=1).astype(np.int64)


def _strips(boxes: np.ndarray, height: int) -> list[np.ndarray]:
    """Join boxes that share rows into strips at most about `height` rows high."""
    order = np.argsort(boxes[:, 1], kind="stable")
    strips, current, bottom, top = [], [], 0, 0
    for row in order:
        y0, y1 = boxes[row, 1], boxes[row, 3]
        if current and (y0 >= top or y1 - bottom > height):
            strips.append(np.array(current))
            current = []
        if not current:
            bottom, top = y0, y1
        current.append(row)
        top = max(top, y1)
    return [*strips, np.array(current)]
