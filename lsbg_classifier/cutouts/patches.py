"""Patches of coadd tiles in nanomaggies, from the pixels as they lie in the files."""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lsbg_classifier.compiled import compiled, prefetch
from lsbg_classifier.cutouts.sections import Image, ImageFile, read_section
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_index import BandImage, Tile

_LARGEST = np.finfo(np.float32).max
"""Of a flux that is finite."""

_AHEAD, _CACHE_LINE = 4, 64
"""Rows that are asked for before they are needed, and the bytes that come together."""

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
        """Read all bands between two corners (x, y), the part inside the tile.

        What is returned may be overwritten by the next call; see `Image.read`.
        """
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
                scale, image = np.float32(band.nanomaggies), _raw(counts)
                mask = _nothing_masked(counts) if mask is None else mask
                bits = (_bits(b, mask) for b in (band.no_data_bits, band.bad_bits))
                _fill(image, scale, _raw(mask), *bits, corners, number, fluxes, bad)
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


def _nothing_masked(counts: np.ndarray) -> np.ndarray:
    """Return a mask of zeros for an image; all its rows are one in memory."""
    return np.broadcast_to(np.zeros(counts.shape[1], np.uint8), counts.shape)


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
def _fill(image, scale, mask, no_data, is_bad, corners, band, fluxes, bad):
    """Fill in nanomaggies of one band, zero where there are no data, and mark bad pixels."""
    height, width = fluxes.shape[2:]
    line = np.empty(width, image.values.dtype)
    counts = line.view(image.kind.dtype)
    bits = np.empty(width, mask.values.dtype)
    marks = bits.view(mask.kind.dtype)
    for number in range(len(corners)):
        x, y = corners[number]
        first, last = _inside(x, width, image.width)
        bottom, top = _inside(y, height, image.height)
        begin, count = np.uint64(first), last - first
        if (last - first) * (top - bottom) < width * height:
            fluxes[number, band] = 0
        for row in range(bottom - _AHEAD, top):
            if row + _AHEAD < top:
                _ask_for(image, x + first, y + row + _AHEAD, count)
                _ask_for(mask, x + first, y + row + _AHEAD, count)
            if row < bottom:
                continue
            _read_line(image, x + first, y + row, count, line)
            _read_line(mask, x + first, y + row, count, bits)
            for n in range(np.uint64(count)):
                flux = np.float32(counts[n]) * scale
                sound = abs(flux) <= _LARGEST and (marks[n] & no_data) == 0
                fluxes[number, band, row, begin + n] = flux if sound else np.float32(0)
            for n in range(np.uint64(count)):
                bad[number, row, begin + n] |= (marks[n] & is_bad) != 0


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
def _ask_for(pixels, column, row, count):
    """Have a part of a row fetched from memory, that is used in a while."""
    start = row * pixels.stride + column
    line = _CACHE_LINE // pixels.values.itemsize
    for n in range(0, count, line):
        prefetch(pixels.values, start + n)
    prefetch(pixels.values, start + count - 1)


@compiled
def _read_line(pixels, column, row, count, line):
    """Copy a part of a row to the beginning of a line, in the machine's order of bytes."""
    values, start = pixels.values, np.uint64(row * pixels.stride + column)
    count = np.uint64(count)
    size = line.itemsize if pixels.swap else 1
    if size == 1:
        for n in range(count):
            line[n] = values[start + n]
    elif size == 2:
        for n in range(count):
            value = values[start + n]
            line[n] = (value << _8) | (value >> _8)
    elif size == 4:
        for n in range(count):
            value = values[start + n]
            inner = ((value << _8) & _THIRD) | ((value >> _8) & _SECOND)
            line[n] = (value << _24) | inner | (value >> _24)
    else:
        for n in range(count):
            value, swapped = np.uint64(values[start + n]), np.uint64(0)
            for _ in range(8):
                swapped = (swapped << _8) | (value & _FIRST)
                value >>= _8
            line[n] = swapped


def _window(start, stop):
    """Rows and columns between two corners (x, y)."""
    return slice(start[1], stop[1]), slice(start[0], stop[0])
