"""Strips of open tiles, as compiled code takes them."""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from catalogs.fits_headers import UNREADABLE
from lsbg_classifier.cutouts.image_kinds import Kind
from lsbg_classifier.cutouts.no_data import MaskBits, blanks_of, lowest_count, whole_bits
from lsbg_classifier.cutouts.pixel_layout import Band, Pixels
from lsbg_classifier.cutouts.sections import (
    Image,
    ImageFile,
    UnreadableImageError,
    read_section,
)
from lsbg_classifier.cutouts.sides import Side
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_groups import BandImage, Tile


class DamagedTileError(Exception):
    """A part of an image of a tile cannot be read.

    Attributes
    ----------
    where : str
        The file.
    what : str
        What is wrong with it.
    """

    def __init__(self, where: str, what: str):
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


class Layer(NamedTuple):
    """The pixels of one band of a tile, in memory.

    Attributes
    ----------
    band : BandImage
    counts : array, shape (height, width)
    mask, weight : array of the same shape, or None
        Of the weight only the signs count.
    bits : MaskBits
        Of the mask.
    """

    band: BandImage
    counts: np.ndarray
    mask: np.ndarray | None = None
    weight: np.ndarray | None = None
    bits: MaskBits = MaskBits()


class OpenTile:
    """The files of one tile, open for reading sections.

    Parameters
    ----------
    folder : TileFolder
    tile : Tile
    bands : tuple of str

    Raises
    ------
    DamagedTileError
        If a file cannot be opened.
    """

    def __init__(self, folder: TileFolder, tile: Tile, bands: tuple[str, ...]):
        self._folder = folder
        self._files: dict[str, ImageFile] = {}
        self._bands = [tile.images.get(band) for band in bands]
        self._bits = [
            band.mask.bits.get(name, MaskBits()) if band and band.mask else MaskBits()
            for name, band in zip(bands, self._bands, strict=True)
        ]
        with ExitStack() as opened:
            self._images = [
                None if band is None else self._open_band(opened, band) for band in self._bands
            ]
            self._open = opened.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open.close()

    def _open_band(self, opened: ExitStack, band: BandImage) -> dict[str, tuple[Image, str]]:
        """Open the images of a band: counts, mask and weight; each with its file."""
        parts = {"counts": band, "mask": band.mask, "weight": band.weight}
        return {
            part: (self._open_image(opened, place), place.path)
            for part, place in parts.items()
            if place is not None
        }

    def _open_image(self, opened: ExitStack, place: BandImage | Side) -> Image:
        try:
            if place.path not in self._files:
                opening = ImageFile(self._folder.file(place.path))
                self._files[place.path] = opened.enter_context(opening)
            asinh = place.asinh if isinstance(place, BandImage) else None
            is_weight = isinstance(place, Side) and place.kind == Kind.WEIGHT
            file = self._files[place.path]
            return file.image(place.extension, place.plane, asinh, only_signs=is_weight)
        except (UnreadableImageError, *UNREADABLE) as error:
            raise DamagedTileError(self._folder.where(place.path), str(error)) from error

    def read(self, lows: list[np.ndarray], highs: list[np.ndarray]) -> "Strip":
        """Read each band between two corners (x, y), the part inside the image.

        What is returned may be overwritten by the next call; see `Image.read`.

        Parameters
        ----------
        lows, highs : list of array of int, shape (2,)
            For each band, the first pixel (x, y) and the one after the last; they may lie outside.

        Returns
        -------
        Strip

        Raises
        ------
        DamagedTileError
            If a part of an image cannot be read.
        """
        layers: list[Layer | None] = []
        corners, shapes = [], []
        for number, band in enumerate(self._bands):
            size = np.array([band.grid.width, band.grid.height]) if band else highs[number]
            low, high = np.clip(lows[number], 0, size), np.clip(highs[number], 0, size)
            corners.append(low)
            width, height = high - low
            shapes.append((height, width))
            layers.append(self._read_band(number, _window(low, high)))
        return Strip(np.array(corners), bands_of(layers, shapes))

    def _read_band(self, number: int, section: tuple[slice, slice]) -> Layer | None:
        band, images = self._bands[number], self._images[number]
        if band is None or images is None:
            return None
        parts = {}
        for part, (image, path) in images.items():
            try:
                parts[part] = read_section(image, *section)
            except UnreadableImageError as error:
                raise DamagedTileError(self._folder.where(path), str(error)) from error
        if "mask" in parts:
            parts["mask"] = whole_bits(parts["mask"])
        return Layer(band, **parts, bits=self._bits[number])


class Strip(NamedTuple):
    """Part of a tile in memory.

    Attributes
    ----------
    lows : array of int, shape (3, 2)
        The pixel (x, y) of each band that it begins with.
    bands : tuple of Band
    """

    lows: np.ndarray
    bands: tuple[Band, ...]


def bands_of(layers: list[Layer | None], shapes: list[tuple[int, int]]) -> tuple[Band, ...]:
    """Prepare layers for compiled code, which wants all bands of the same types.

    Parameters
    ----------
    layers : list of Layer
        None for a band that is not there.
    shapes : list of tuple of int
        Height and width of each.

    Returns
    -------
    tuple of Band
        Blue to red.
    """
    there = [layer for layer in layers if layer is not None]
    counts_type = _common_type([layer.counts for layer in there], np.float64)
    mask_type = _common_type([layer.mask for layer in there if layer.mask is not None], np.int64)
    weights = [layer.weight for layer in there if layer.weight is not None]
    types = counts_type, mask_type, _common_type(weights, np.float64)
    return tuple(_band_of(layer, shape, types) for layer, shape in zip(layers, shapes, strict=True))


def _band_of(layer: Layer | None, shape: tuple[int, int], types: tuple) -> Band:
    parts = (layer.counts, layer.mask, layer.weight) if layer else (None, None, None)
    image, mask, weight = (_pixels(*part, shape) for part in zip(parts, types, strict=True))
    scale, bits, has_weight = 0.0, MaskBits(), False
    is_integer, blank = False, None
    if layer is not None:
        scale, bits, has_weight = layer.band.nanomaggies, layer.bits, layer.weight is not None
        is_integer, blank = layer.band.is_integer, layer.band.blank
    # A mask has no other bits than those of its type.
    no_data, bad = (
        np.array([each]).astype(mask.kind.dtype)[0] for each in (bits.no_data, bits.bad)
    )
    return Band(
        image,
        mask,
        weight,
        np.float32(scale),
        no_data,
        bad,
        np.bool_(has_weight),
        np.bool_(is_integer),
        np.float32(lowest_count(scale)),
        blanks_of(is_integer, blank),
    )


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
