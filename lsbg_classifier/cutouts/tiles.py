"""Cutouts from coadd tiles, on exactly the grid of the viewer's."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.remote import RemoteError
from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.colours import colours_of_fluxes, compress, shrink
from lsbg_classifier.cutouts.coverage import judge_gaps
from lsbg_classifier.cutouts.resample import REACH, resample
from lsbg_classifier.cutouts.sections import (
    Image,
    ImageFile,
    UnreadableImageError,
    read_section,
)
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_index import BandImage, Tile, TileIndex
from lsbg_classifier.surveys import VIEWER_SIZE, Survey, survey_named

_STRIP_ROWS = 1024
"""Rows of a tile in memory at a time."""

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
        self._scales = self._survey.colour_scales[self._bands]
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
        with _OpenTile(self._index.folder, tile, self._bands) as images:
            for rows in _strips(boxes, _STRIP_ROWS):
                low, high = boxes[rows, :2].min(axis=0), boxes[rows, 2:].max(axis=0)
                strip = images.read(low, high)
                for row in rows:
                    patch, gaps, masked = strip.cut(boxes[row])
                    flags[row] = judge_gaps(gaps) | (masked > _MASKED) * Flag.MASKED_PIXELS
                    if not flags[row] & NOT_SCORED:
                        shift = np.array([[boxes[row, 0]], [boxes[row, 1]]]) * [[1, 0, 0]]
                        cutouts[row] = self._colour(resample(patch, affines[row] - shift, side))
        return cutouts, flags

    def _side(self, affines: np.ndarray) -> int:
        """Return how many samples along a side hold all that the tile's pixels tell."""
        coarse = 2 * np.hypot(affines[:, 0, 1], affines[:, 1, 1]).max()
        return VIEWER_SIZE if self._jpeg or coarse > _COARSEST else VIEWER_SIZE // 2

    def _colour(self, fluxes: np.ndarray) -> np.ndarray:
        image = colours_of_fluxes(fluxes, self._scales)
        return shrink(compress(image) if self._jpeg else image)


def _grid_in_tile(tile: Tile, positions: np.ndarray, scale: float) -> np.ndarray:
    """Map the viewer's grid around each position into the tile's pixels.

    Two tangent planes are related by a projection that is affine over half an arcminute to 1e-4
    pixels, so four points on the sky fix it. Shape (N, 2, 3); see `resample`.
    """
    half = VIEWER_SIZE / 4
    reach = np.arctan(np.radians(half * scale / 3600)) * u.rad
    centre = SkyCoord(positions[:, 0], positions[:, 1], unit="deg")
    wcs = tile.wcs()

    def pixels(sky):
        return np.stack(wcs.all_world2pix(sky.ra.deg, sky.dec.deg, 0, quiet=True), axis=-1)

    north, east, south, west = (
        pixels(centre.directional_offset_by(angle * u.deg, reach)) for angle in (0, 90, 180, 270)
    )
    return np.stack(
        [pixels(centre), (west - east) / (2 * half), (north - south) / (2 * half)], axis=-1
    )


def _boxes(affines: np.ndarray) -> np.ndarray:
    """Pixel boxes (x0, y0, x1, y1), ends excluded, that the grids and the kernel need; (N, 4)."""
    centre = affines[:, :, 0]
    half = np.abs(affines[:, :, 1:]).sum(axis=2) * VIEWER_SIZE / 2 + REACH
    low, high = np.floor(centre - half), np.ceil(centre + half) + 1
    return np.concatenate([low, high], axis=1).astype(np.int64)


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


class _OpenTile:
    """The files of one tile, open for reading sections."""

    def __init__(self, folder: TileFolder, tile: Tile, bands: tuple[str, ...]):
        self._size = np.array([tile.width, tile.height])
        self._bands = [tile.images.get(band) for band in bands]
        self._images: list[tuple[Image, Image | None] | None] = []
        with ExitStack() as opened:
            files = {}
            for band in self._bands:
                if band is None:
                    self._images.append(None)
                    continue
                if band.path not in files:
                    files[band.path] = opened.enter_context(ImageFile(folder.file(band.path)))
                file, mask = files[band.path], None
                if band.mask_extension is not None:
                    mask = file.image(band.mask_extension, band.plane)
                self._images.append((file.image(band.extension, band.plane), mask))
            self._open = opened.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open.close()

    def read(self, low: np.ndarray, high: np.ndarray) -> "_Strip":
        """Read all bands between two corners (x, y), the part inside the tile."""
        low, high = np.clip(low, 0, self._size), np.clip(high, 0, self._size)
        section = _window(low, high)
        layers = []
        for band, images in zip(self._bands, self._images, strict=True):
            if images is None:
                layers.append(None)
            else:
                counts, mask = (None if i is None else read_section(i, *section) for i in images)
                layers.append((band, counts, mask))
        return _Strip(low, high, layers)


class _Strip:
    """Part of a tile in memory: for each band its counts and mask, (height, width)."""

    def __init__(
        self,
        low: np.ndarray,
        high: np.ndarray,
        layers: list[tuple[BandImage, np.ndarray, np.ndarray | None] | None],
    ):
        self._low = low
        self._high = high
        self._layers = layers

    def cut(self, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Cut out a box of tile pixels, zero beyond the tile and where there are no data.

        Returns the fluxes in nanomaggies (bands, height, width), the fraction without data in each
        band, and the fraction of bad pixels in the central quarter.
        """
        x0, y0, x1, y1 = box
        patch = np.zeros((len(self._layers), y1 - y0, x1 - x0), np.float32)
        bad = np.zeros(patch.shape[1:], bool)
        seen = np.zeros(len(self._layers))
        start, stop = np.maximum(self._low, box[:2]), np.minimum(self._high, box[2:])
        if (start < stop).all():
            inner = _window(start - box[:2], stop - box[:2])
            outer = _window(start - self._low, stop - self._low)
            for number, layer in enumerate(self._layers):
                if layer is not None:
                    band, counts, mask = layer
                    mask = None if mask is None else mask[outer]
                    seen[number] = _convert(
                        band, counts[outer], mask, patch[number][inner], bad[inner]
                    )
        height, width = bad.shape
        gaps = 1 - seen / bad.size
        middle = bad[height // 4 : -(height // 4), width // 4 : -(width // 4)]
        return patch, gaps, float(middle.mean())


def _convert(
    band: BandImage,
    counts: np.ndarray,
    mask: np.ndarray | None,
    fluxes: np.ndarray,
    bad: np.ndarray,
) -> int:
    """Fill in nanomaggies where there are data, and mark bad pixels; return how many have data."""
    counts = counts.astype(np.float32)
    scale = np.float32(band.nanomaggies)
    if mask is None:
        return _fill(counts, scale, fluxes)
    bits = mask.astype(mask.dtype.newbyteorder("="))
    return _fill_unmasked(counts, scale, bits, band.no_data_bits, band.bad_bits, fluxes, bad)


@compiled
def _fill(counts, scale, fluxes):
    seen = 0
    for row in range(counts.shape[0]):
        for column in range(counts.shape[1]):
            flux = counts[row, column] * scale
            if np.isfinite(flux) and flux != 0:
                fluxes[row, column] = flux
                seen += 1
    return seen


@compiled
def _fill_unmasked(counts, scale, bits, no_data, is_bad, fluxes, bad):
    seen = 0
    for row in range(counts.shape[0]):
        for column in range(counts.shape[1]):
            flux, mask = counts[row, column] * scale, np.int64(bits[row, column])
            if np.isfinite(flux) and flux != 0 and (mask & no_data) == 0:
                fluxes[row, column] = flux
                seen += 1
            bad[row, column] |= (mask & is_bad) != 0
    return seen


def _window(start, stop):
    """Rows and columns between two corners (x, y)."""
    return slice(start[1], stop[1]), slice(start[0], stop[0])
