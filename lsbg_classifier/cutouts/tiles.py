"""Cutouts from coadd tiles on disk, on exactly the grid of the viewer's."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.cutouts.colours import colours_of_fluxes, compress, shrink
from lsbg_classifier.cutouts.coverage import judge_gaps
from lsbg_classifier.cutouts.resample import REACH, resample
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.cutouts.tile_index import BandImage, Tile, TileIndex
from lsbg_classifier.surveys import VIEWER_SIZE, Survey, survey_named

_STRIP_ROWS = 1024
"""Rows of a tile in memory at a time."""

_MASKED = 0.05
"""Fraction of bad pixels in the central quarter that gets a flag."""


class TileSource:
    """Cutouts from a folder of coadd tiles.

    Fluxes are sampled by Lanczos-3 on the viewer's 256x256 grid, coloured by its formula, and
    shrunk to 64x64 by Pillow, so that the same position through the viewer gives the same cutout
    up to JPEG noise; fluxes of pixels of another size than the survey's are converted to the
    survey's. Only the rows of a tile that its candidates need are read, in strips, each once.

    Parameters
    ----------
    folder : path
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
        folder = Path(folder).expanduser()
        self.spec = f"tiles:{folder.absolute()}"
        self._index = TileIndex.of_folder(folder, survey)
        self._survey: Survey = survey_named(survey or self._index.tiles[0].survey)
        self._bands = tuple(bands)
        self._jpeg = jpeg
        self.imaging = self._survey.imaging(self._bands)
        self._scales = self._survey.colour_scales[self._bands]
        if not any(set(tile.images) & set(self._bands) for tile in self._index.tiles):
            raise InputError(f"{folder}: no tile in any of the bands {bands}")

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
            except (OSError, ValueError, TypeError):
                flags[rows] = Flag.BAD_IMAGE
        return cutouts, flags

    def _cut(self, tile: Tile, positions: np.ndarray):
        cutouts, flags = empty_cutouts(len(positions))
        affines = _grid_in_tile(tile, positions, self._survey.viewer_scale)
        boxes = _boxes(affines)
        with _OpenTile(self._index.folder, tile, self._bands) as images:
            for rows in _strips(boxes, _STRIP_ROWS):
                low, high = boxes[rows, :2].min(axis=0), boxes[rows, 2:].max(axis=0)
                strip = images.read(low, high)
                for row in rows:
                    patch, gaps, masked = strip.cut(boxes[row])
                    flags[row] = judge_gaps(gaps) | (masked > _MASKED) * Flag.MASKED_PIXELS
                    if not flags[row] & NOT_SCORED:
                        shift = np.array([[boxes[row, 0]], [boxes[row, 1]]]) * [[1, 0, 0]]
                        cutouts[row] = self._colour(resample(patch, affines[row] - shift))
        return cutouts, flags

    def _colour(self, fluxes: np.ndarray) -> np.ndarray:
        image = colours_of_fluxes(np.moveaxis(fluxes, -1, 0), self._scales)
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

    def __init__(self, folder: Path, tile: Tile, bands: tuple[str, ...]):
        self._size = np.array([tile.width, tile.height])
        self._images = [tile.images.get(band) for band in bands]
        self._files = {}
        with ExitStack() as files:
            for path in {image.path for image in self._images if image is not None}:
                self._files[path] = files.enter_context(fits.open(folder / path, memmap=True))
            self._open = files.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open.close()

    def read(self, low: np.ndarray, high: np.ndarray) -> "_Strip":
        """Read all bands between two corners (x, y), the part inside the tile."""
        low, high = np.clip(low, 0, self._size), np.clip(high, 0, self._size)
        width, height = high - low
        fluxes = np.zeros((height, width, len(self._images)), np.float32)
        bad = np.zeros((height, width), bool)
        section = (slice(low[1], high[1]), slice(low[0], high[0]))
        for band, image in enumerate(self._images):
            if image is not None:
                fluxes[..., band], band_bad = self._read_band(image, section)
                bad |= band_bad
        return _Strip(low, fluxes, bad)

    def _read_band(self, image: BandImage, section):
        """Nanomaggies of one band, zero where there are no data, and which pixels are bad."""
        hdus = self._files[image.path]
        index = section if image.plane is None else (image.plane, *section)
        counts = np.asarray(hdus[image.extension].section[index], np.float32)
        seen = np.isfinite(counts)
        bad = np.zeros(counts.shape, bool)
        if image.mask_extension is not None:
            mask = np.asarray(hdus[image.mask_extension].section[index]).astype(np.int64)
            seen &= (mask & image.no_data_bits) == 0
            bad = (mask & image.bad_bits) != 0
        return np.where(seen, counts * np.float32(image.nanomaggies), np.float32(0)), bad


class _Strip:
    """Part of a tile in memory: fluxes (height, width, bands), and bad pixels (height, width)."""

    def __init__(self, low: np.ndarray, fluxes: np.ndarray, bad: np.ndarray):
        self._low = low
        self._fluxes = fluxes
        self._bad = bad

    def cut(self, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Cut out a box of tile pixels, zero beyond the tile.

        Returns the fluxes (height, width, bands), the fraction without data in each band, and the
        fraction of bad pixels in the central quarter.
        """
        x0, y0, x1, y1 = box
        patch = np.zeros((y1 - y0, x1 - x0, self._fluxes.shape[2]), np.float32)
        bad = np.zeros(patch.shape[:2], bool)
        start = np.maximum(self._low, box[:2])
        stop = np.minimum(self._low + self._bad.shape[::-1], box[2:])
        if (start < stop).all():
            inner = _window(start - box[:2], stop - box[:2])
            outer = _window(start - self._low, stop - self._low)
            patch[inner], bad[inner] = self._fluxes[outer], self._bad[outer]
        gaps = (patch == 0).mean(axis=(0, 1))
        height, width = bad.shape
        middle = bad[height // 4 : -(height // 4), width // 4 : -(width // 4)]
        return patch, gaps, float(middle.mean())


def _window(start, stop):
    """Rows and columns between two corners (x, y)."""
    return slice(start[1], stop[1]), slice(start[0], stop[0])
