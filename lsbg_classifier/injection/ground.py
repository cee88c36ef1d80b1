"""What a tile is like before mocks are added: gaps and masks, local depth, bright sources."""

from dataclasses import dataclass

import numpy as np
import sep
from scipy.spatial import cKDTree

from lsbg_classifier.tile_images import NANOMAGGIE_ZERO_POINT, OpenImages, TileImages

_CELL = 128
"""Pixels a side of the cells in which the noise is measured."""

_BIN = 8
"""Pixels a side that are averaged before bright sources are looked for."""

_DEPTH_SIDE = 10.0
"""Arcseconds a side of the area that a limiting surface brightness is for."""

_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Ground:
    """One tile, looked at once.

    Attributes
    ----------
    bad : array of bool, shape (height, width)
        Pixels that are masked or without data in any band.
    depth : dict of str to array of float32, shape (rows, columns)
        By band, in cells of 128 pixels: the surface brightness in mag/arcsec2 that is three times
        the noise of an area of 10" by 10", were the noise of all pixels independent; NaN where
        there are no data. The noise is 1.4826 times the median absolute deviation of the pixels.
    bright_xy : array of float64, shape (N, 2)
        Pixels, from 0, of the sources brighter than `bright_limit`, stars and galaxies.
    bright_magnitudes : array of float64, shape (N,)
        AB, in the band of the brightest limit.
    """

    bad: np.ndarray
    depth: dict[str, np.ndarray]
    bright_xy: np.ndarray
    bright_magnitudes: np.ndarray

    def depth_at(self, band: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the depth of a band at some pixels.

        Parameters
        ----------
        band : str
        x, y : array of float, shape (N,)
            Pixels from 0; beyond the image, the nearest cell counts.

        Returns
        -------
        array of float32, shape (N,)
            mag/arcsec2, see `depth`; NaN where there are no data.
        """
        cells = self.depth[band]
        rows = np.clip(np.asarray(y, int) // _CELL, 0, cells.shape[0] - 1)
        columns = np.clip(np.asarray(x, int) // _CELL, 0, cells.shape[1] - 1)
        return cells[rows, columns]

    def nearest_bright(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the bright source that is nearest to each of some pixels.

        Parameters
        ----------
        x, y : array of float, shape (N,)
            Pixels from 0.

        Returns
        -------
        distance : array of float, shape (N,)
            Pixels; NaN where the tile has no bright source.
        magnitude : array of float, shape (N,)
            AB magnitude of that source; NaN where the tile has none.
        """
        if not len(self.bright_xy):
            return np.full(len(x), np.nan), np.full(len(x), np.nan)
        distance, number = cKDTree(self.bright_xy).query(np.stack([x, y], axis=1))
        return distance, self.bright_magnitudes[number]


def survey_ground(
    tile: TileImages, images: OpenImages, bright_band: str, bright_limit: float
) -> Ground:
    """Read a tile once, in strips, and measure what the mocks' truth says of it.

    Parameters
    ----------
    tile : TileImages
    images : OpenImages
        The same tile's.
    bright_band : str
        Band in which bright sources are looked for.
    bright_limit : float
        AB magnitude that they are brighter than.

    Returns
    -------
    Ground
    """
    bad = np.zeros((tile.height, tile.width), bool)
    cells: dict[str, list[np.ndarray]] = {band: [] for band in tile.bands}
    binned = []
    for start in range(0, tile.height, _CELL):
        rows = slice(start, min(start + _CELL, tile.height))
        for band in tile.bands:
            fluxes, masked = images.read(band, rows, slice(0, tile.width))
            bad[rows] |= masked
            cells[band].append(_noise(fluxes, masked))
            if band == bright_band:
                binned.append(_binned(fluxes))
    depth = {band: _depth(np.array(rows), tile.pixel_scale) for band, rows in cells.items()}
    xy, magnitudes = _bright(np.concatenate(binned), bright_limit)
    return Ground(bad, depth, xy, magnitudes)


def _noise(fluxes: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Return the noise of a strip's cells, from every second pixel of every second row."""
    count = -(-fluxes.shape[1] // _CELL)
    values = np.full((len(fluxes[::2]), count * _CELL // 2), np.nan, np.float32)
    thinned = np.where(bad[::2, ::2], np.nan, fluxes[::2, ::2])
    values[:, : thinned.shape[1]] = thinned
    cells = values.reshape(len(values), count, -1).swapaxes(0, 1).reshape(count, -1)
    noise = np.full(count, np.nan, np.float32)
    for number, cell in enumerate(cells):
        cell = cell[np.isfinite(cell)]
        if len(cell) >= cells.shape[1] / 10:
            middle = np.median(cell)
            noise[number] = _MAD_TO_SIGMA * np.median(np.abs(cell - middle))
    return noise


def _depth(noise: np.ndarray, pixel_scale: float) -> np.ndarray:
    """Convert noise in nanomaggies a pixel to a limiting surface brightness."""
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = 3 * noise / (pixel_scale * _DEPTH_SIDE)
        depth = NANOMAGGIE_ZERO_POINT - 2.5 * np.log10(limit)
    return np.where(np.isfinite(depth), depth, np.nan).astype(np.float32)


def _binned(fluxes: np.ndarray) -> np.ndarray:
    """Sum blocks of pixels; what does not fill a block at the right and the top is left out."""
    height, width = (length // _BIN * _BIN for length in fluxes.shape)
    whole = np.nan_to_num(fluxes[:height, :width])
    return whole.reshape(height // _BIN, _BIN, width // _BIN, _BIN).sum(axis=(1, 3))


def _bright(image: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Find sources brighter than a magnitude in a binned image."""
    image = np.ascontiguousarray(image, np.float32)
    if min(image.shape) < 8 or not image.any():
        return np.empty((0, 2)), np.empty(0)
    background = sep.Background(image, bw=32, bh=32)
    least = 10 ** (-0.4 * (limit - NANOMAGGIE_ZERO_POINT))
    threshold = max(5 * background.globalrms, 0.05 * least)
    sep.set_extract_pixstack(max(300_000, image.size))
    sources = sep.extract(image - background.back(), threshold, minarea=1, deblend_cont=0.01)
    sources = sources[sources["flux"] > least]
    xy = np.stack([sources["x"], sources["y"]], axis=1) * _BIN + (_BIN - 1) / 2
    return xy, NANOMAGGIE_ZERO_POINT - 2.5 * np.log10(sources["flux"])
