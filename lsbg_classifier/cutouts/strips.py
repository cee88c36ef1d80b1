"""Strips of open tiles, as compiled code takes them."""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lsbg_classifier.cutouts.pixels import Band, Pixels
from lsbg_classifier.cutouts.sections import Image, ImageFile, read_section
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_index import BandImage, Tile

Layer = tuple[BandImage, np.ndarray, np.ndarray | None] | None
"""What a tile has of a band: its counts and its mask, of shape (height, width)."""


class OpenTile:
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

    def read(self, low: np.ndarray, high: np.ndarray) -> "Strip":
        """Read all bands between two corners (x, y), the part inside the tile.

        What is returned may be overwritten by the next call; see `Image.read`.
        """
        low, high = np.clip(low, 0, self._size), np.clip(high, 0, self._size)
        section = _window(low, high)
        layers: list[Layer] = []
        for band, images in zip(self._bands, self._images, strict=True):
            if images is None:
                layers.append(None)
            else:
                counts, mask = (None if i is None else read_section(i, *section) for i in images)
                layers.append((band, counts, mask))
        width, height = high - low
        return Strip(low, bands_of(layers, (height, width)))


class Strip(NamedTuple):
    """Part of a tile in memory.

    Attributes
    ----------
    low : array of int, shape (2,)
        The pixel (x, y) of the tile that it begins with.
    bands : tuple of Band
    """

    low: np.ndarray
    bands: tuple[Band, ...]


def bands_of(layers: list[Layer], shape: tuple[int, int]) -> tuple[Band, ...]:
    """Prepare layers of one shape for compiled code, which wants all bands of the same types."""
    there = [layer for layer in layers if layer is not None]
    counts_type = _common_type([counts for _, counts, _ in there], np.float64)
    mask_type = _common_type([mask for *_, mask in there if mask is not None], np.int64)
    bands = []
    for layer in layers:
        band, counts, mask = layer or (None, None, None)
        scale, *bits = (band.nanomaggies, band.no_data_bits, band.bad_bits) if band else (0, 0, 0)
        image, marks = _pixels(counts, counts_type, shape), _pixels(mask, mask_type, shape)
        bits = (np.array(b).astype(marks.kind.dtype)[()] for b in bits)  # it has no other bits
        bands.append(Band(image, marks, np.float32(scale), *bits))
    return tuple(bands)


def _common_type(arrays: list[np.ndarray], widest: type) -> np.dtype:
    """Return the type of all arrays, or if they differ one that holds all."""
    types = {array.dtype for array in arrays}
    return types.pop() if len(types) == 1 else np.dtype(widest)


def _pixels(section: np.ndarray | None, dtype: np.dtype, shape: tuple[int, int]) -> Pixels:
    """Describe pixels, or zeros where there are none: all their rows are one in memory."""
    if section is None:
        section = np.broadcast_to(np.zeros(shape[1], dtype), shape)
    section, size = section.astype(dtype, copy=False), dtype.itemsize
    if not section.size or section.strides[1] != size or section.strides[0] % size:
        section = np.ascontiguousarray(section)
    (height, width), stride = section.shape, section.strides[0] // size
    own = dtype.newbyteorder("=")
    length = (height - 1) * stride + width if section.size else 0
    values = as_strided(section.view(f"u{size}"), (length,), (size,), writeable=False)
    return Pixels(values, np.empty(0, own), own != dtype, stride, height, width)


def _window(start, stop):
    """Rows and columns between two corners (x, y)."""
    return slice(start[1], stop[1]), slice(start[0], stop[0])
