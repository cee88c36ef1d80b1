"""Patches of coadd tiles in nanomaggies, from the pixels as they lie in the files."""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.sections import Image, ImageFile, read_section
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_index import BandImage, Tile

_LARGEST = np.finfo(np.float32).max
"""Of a flux that is finite."""

_FIRST, _SECOND, _THIRD = np.uint64(0xFF), np.uint64(0xFF00), np.uint64(0xFF0000)
_8, _24 = np.uint64(8), np.uint64(24)
"""Bytes of a number, and the bits that they are moved by."""


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
        return Strip(low, high, layers)


class Strip:
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

    def cut(self, boxes: np.ndarray, fluxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out boxes of tile pixels, all of one size.

        Parameters
        ----------
        boxes : array of int, shape (N, 4)
            x0, y0, x1, y1 in the tile, ends excluded.
        fluxes : array of float32, shape (N, bands, height, width)
            Gets the pixels in nanomaggies, zero beyond the tile and where there are no data.

        Returns
        -------
        gaps : array of float, shape (N, bands)
            Fractions without data.
        masked : array of float, shape (N,)
            Fractions of bad pixels in the central quarter.
        """
        count, bands, height, width = fluxes.shape
        bad = np.zeros((count, height, width), bool)
        seen = np.zeros((count, bands), np.int64)
        corners = boxes[:, :2] - self._low
        for number, layer in enumerate(self._layers):
            if layer is None:
                fluxes[:, number] = 0
            else:
                band, counts, mask = layer
                _fill(_raw(counts), np.float32(band.nanomaggies), corners, number, fluxes)
                if mask is not None:
                    bits = (_bits(band.no_data_bits, mask), _bits(band.bad_bits, mask))
                    _apply_mask(_raw(mask), *bits, corners, number, fluxes, bad)
        _count(fluxes, seen)
        middle = bad[:, height // 4 : -(height // 4), width // 4 : -(width // 4)]
        return 1 - seen / (height * width), middle.mean(axis=(1, 2))


class _Raw(NamedTuple):
    """Pixels as they lie in memory, for compiled code, which knows the machine's types alone.

    Attributes
    ----------
    values : array of unsigned int
        From the first pixel to the last, whatever lies between rows included.
    kind : array of shape (0,)
        Of the pixels' own type, in the machine's order of bytes.
    swap : bool
        Whether the bytes are in the other order.
    stride, height, width : int
        In pixels.
    """

    values: np.ndarray
    kind: np.ndarray
    swap: bool
    stride: int
    height: int
    width: int


def _raw(section: np.ndarray) -> _Raw:
    size = section.itemsize
    if not section.size or section.strides[1] != size or section.strides[0] % size:
        section = np.ascontiguousarray(section)
    (height, width), stride = section.shape, section.strides[0] // size
    own = section.dtype.newbyteorder("=")
    length = (height - 1) * stride + width if section.size else 0
    values = as_strided(section.view(f"u{size}"), (length,), (size,), writeable=False)
    return _Raw(values, np.empty(0, own), own != section.dtype, stride, height, width)


def _bits(bits: int, mask: np.ndarray) -> np.generic:
    """Return bits in the type of a mask; it cannot have those beyond."""
    return np.array(bits).astype(mask.dtype.newbyteorder("="))[()]


@compiled
def _fill(pixels, scale, corners, band, fluxes):
    """Fill in nanomaggies of one band, zero where there are no data."""
    height, width = fluxes.shape[2:]
    line = np.empty(width, pixels.values.dtype)
    counts = line.view(pixels.kind.dtype)
    for number in range(len(corners)):
        x, y = corners[number]
        first, last = _inside(x, width, pixels.width)
        bottom, top = _inside(y, height, pixels.height)
        if (last - first) * (top - bottom) < width * height:
            fluxes[number, band] = 0
        for row in range(bottom, top):
            _read_line(pixels, x + first, x + last, y + row, line)
            target = fluxes[number, band, row, first:last]
            for n in range(len(target)):
                flux = np.float32(counts[n]) * scale
                target[n] = flux if abs(flux) <= _LARGEST else np.float32(0)


@compiled
def _apply_mask(pixels, no_data, is_bad, corners, band, fluxes, bad):
    """Take away the fluxes of pixels without data, and mark bad pixels."""
    height, width = bad.shape[1:]
    line = np.empty(width, pixels.values.dtype)
    bits = line.view(pixels.kind.dtype)
    for number in range(len(corners)):
        x, y = corners[number]
        first, last = _inside(x, width, pixels.width)
        for row in range(*_inside(y, height, pixels.height)):
            _read_line(pixels, x + first, x + last, y + row, line)
            target = fluxes[number, band, row, first:last]
            marks = bad[number, row, first:last]
            for n in range(len(target)):
                target[n] = target[n] if (bits[n] & no_data) == 0 else np.float32(0)
                marks[n] |= (bits[n] & is_bad) != 0


@compiled
def _inside(start, size, all_there_are):
    """Return which of `size` pixels from `start` on there are: the first, and the end."""
    first = min(size, max(0, -start))
    return first, max(first, min(size, all_there_are - start))


@compiled
def _count(fluxes, seen):
    """Count the pixels of each band that have data."""
    for number in range(fluxes.shape[0]):
        for band in range(fluxes.shape[1]):
            pixels = fluxes[number, band].reshape(-1)
            found = np.int32(0)
            for n in range(len(pixels)):
                found += np.int32(pixels[n] != 0)
            seen[number, band] = found


@compiled
def _read_line(pixels, start, stop, row, line):
    """Copy a part of a row to the beginning of a line, in the machine's order of bytes."""
    source = pixels.values[row * pixels.stride + start : row * pixels.stride + stop]
    size = line.itemsize if pixels.swap else 1
    if size == 1:
        for n in range(len(source)):
            line[n] = source[n]
    elif size == 2:
        for n in range(len(source)):
            line[n] = (source[n] << _8) | (source[n] >> _8)
    elif size == 4:
        for n in range(len(source)):
            value = source[n]
            inner = ((value << _8) & _THIRD) | ((value >> _8) & _SECOND)
            line[n] = (value << _24) | inner | (value >> _24)
    else:
        for n in range(len(source)):
            value, swapped = np.uint64(source[n]), np.uint64(0)
            for _ in range(8):
                swapped = (swapped << _8) | (value & _FIRST)
                value >>= _8
            line[n] = swapped


def _window(start, stop):
    """Rows and columns between two corners (x, y)."""
    return slice(start[1], stop[1]), slice(start[0], stop[0])
