"""Light added to tile-compressed FITS images in the numbers that are stored.

Floating-point pixels are stored as integers, with a scale, a zero and a dither a block (FITS
standard 4.0, section 10). To decode, add and quantize again would change every pixel of the image
by a new rounding. Here the integers themselves are raised by the added light in units of the
block's scale; scale, zero and dither stay. So pixels without added light keep their values exactly,
and blocks without any keep their bytes. What the rounding of the light cuts off is carried on to
the next pixel of the row, so that fluxes are kept although single pixels are rounded.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from astropy.io import fits

from lsbg_classifier.cutouts.sections import ASTROPY_CODECS

ALGORITHMS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "NOCOMPRESS")

_NULL, _ZERO = -2_147_483_647, -2_147_483_646
"""Stored numbers that mean "not a number" and, with the second dither, "exactly 0"."""

_HCOMPRESS_BYTES = 8
"""Of the integers within HCOMPRESS_1: sums over a block exceed 32 bits."""

_INTEGERS: Mapping[int, np.dtype] = {8: np.dtype("u1"), 16: np.dtype(">i2"), 32: np.dtype(">i4")}
_FLOATS: Mapping[int, np.dtype] = {-32: np.dtype(">f4"), -64: np.dtype(">f8")}


@dataclass(frozen=True)
class Layout:
    """How the blocks of an image are stored; from the header of its table.

    Raises
    ------
    ValueError
        If light cannot be added to such an image, with the reason.
    """

    header: fits.Header

    def __post_init__(self):
        """Refuse what is not known."""
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"compressed by {self.algorithm}, which cannot be written here")
        if len(self.shape) not in (2, 3) or self.bits not in {*_INTEGERS, *_FLOATS}:
            raise ValueError("not an image of two or three dimensions")

    @property
    def algorithm(self) -> str:
        """Name of the compression."""
        return str(self.header.get("ZCMPTYPE", "")).strip()

    @property
    def bits(self) -> int:
        """BITPIX of the image: negative for floats."""
        return int(self.header["ZBITPIX"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image, slowest axis first."""
        axes = range(int(self.header["ZNAXIS"]), 0, -1)
        return tuple(int(self.header[f"ZNAXIS{axis}"]) for axis in axes)

    @property
    def block(self) -> tuple[int, ...]:
        """Of a block, slowest axis first; a row of pixels unless the header says otherwise."""
        axes = range(len(self.shape), 0, -1)
        row = self.shape[-1]
        return tuple(int(self.header.get(f"ZTILE{a}", row if a == 1 else 1)) for a in axes)

    @property
    def options(self) -> dict[str, Any]:
        """Parameters of the algorithm."""
        numbers = range(1, 10)
        return {self.header.get(f"ZNAME{n}"): self.header.get(f"ZVAL{n}") for n in numbers}

    def windows(self) -> list[tuple[slice, ...]]:
        """Return the part of the image that each row of the table holds, in order."""
        counts = [-(-size // step) for size, step in zip(self.shape, self.block, strict=True)]
        return [
            tuple(
                slice(i * step, min((i + 1) * step, size))
                for i, step, size in zip(index, self.block, self.shape, strict=True)
            )
            for index in np.ndindex(*counts)
        ]

    def integers(self, quantized: bool) -> np.dtype:
        """Return the type of the stored numbers."""
        return np.dtype(">i4") if quantized else _INTEGERS[self.bits]


def unpack(packed: bytes, layout: Layout, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """Decode the stored numbers of a block.

    Parameters
    ----------
    packed : bytes
        The block as it is in the file.
    layout : Layout
        How the image is compressed.
    shape : tuple of int
        Of the block; smaller than `Layout.block` at the ends of the image.
    kind : numpy.dtype
        Big-endian type of the numbers: `Layout.integers`, or that of floats without loss.

    Returns
    -------
    array, shape as given
        Stored numbers, without the scale and zero of the block.
    """
    count, algorithm = int(np.prod(shape)), layout.algorithm
    if algorithm.startswith("RICE"):
        own = np.dtype(f"i{_byte_pix(layout)}" if _byte_pix(layout) > 1 else "u1")
        nblock = int(layout.options.get("BLOCKSIZE", 32))
        numbers = imagecodecs.rcomp_decode(packed, shape=(count,), dtype=own, nblock=nblock)
    elif algorithm == "GZIP_2":
        planes = np.frombuffer(gzip.decompress(packed), np.uint8).reshape(kind.itemsize, count)
        numbers = np.ascontiguousarray(planes.T).view(kind)
    elif algorithm == "HCOMPRESS_1":
        with ASTROPY_CODECS:
            numbers = _hcompress(layout, shape).decode(np.frombuffer(packed, np.uint8))
    else:
        raw = packed if algorithm == "NOCOMPRESS" else gzip.decompress(packed)
        numbers = np.frombuffer(raw, kind)
    return np.asarray(numbers).reshape(shape)


def pack(numbers: np.ndarray, layout: Layout, kind: np.dtype) -> bytes:
    """Encode the numbers of a block in the compression of the image, without any loss.

    Parameters
    ----------
    numbers : array, shape of the block
        Within the range of `kind`.
    layout : Layout
        How the image is compressed.
    kind : numpy.dtype
        Big-endian type of the stored numbers.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the numbers are too large for HCOMPRESS_1.
    """
    algorithm = layout.algorithm
    if algorithm.startswith("RICE"):
        own = np.dtype(f"i{_byte_pix(layout)}" if _byte_pix(layout) > 1 else "u1")
        nblock = int(layout.options.get("BLOCKSIZE", 32))
        flat = np.ascontiguousarray(numbers.astype(own).ravel())
        return bytes(imagecodecs.rcomp_encode(flat, nblock=nblock))
    raw = np.ascontiguousarray(numbers.astype(kind))
    if algorithm == "GZIP_2":
        return gzip.compress(raw.view(np.uint8).reshape(-1, kind.itemsize).T.tobytes(), 1, mtime=0)
    if algorithm == "HCOMPRESS_1":
        return _pack_hcompress(numbers, layout)
    return raw.tobytes() if algorithm == "NOCOMPRESS" else gzip.compress(raw.tobytes(), 1, mtime=0)


def _pack_hcompress(numbers: np.ndarray, layout: Layout) -> bytes:
    """Encode without loss, and make sure of it."""
    codec = _hcompress(layout, numbers.shape, scale=0)
    with ASTROPY_CODECS:
        packed = bytes(codec.encode(numbers.astype(np.int64)))
        again = np.asarray(codec.decode(np.frombuffer(packed, np.uint8))).reshape(numbers.shape)
    if not np.array_equal(again, numbers):
        raise ValueError("its numbers are too large for HCOMPRESS_1")
    return packed


def _byte_pix(layout: Layout) -> int:
    return int(layout.options.get("BYTEPIX", 4))


def _hcompress(layout: Layout, shape: tuple[int, ...], scale: int | None = None):
    """Return astropy's codec; a stream says its own scale, so that blocks may differ in it."""
    from astropy.io.fits.hdu.compressed._codecs import HCompress1

    rows, columns = [1, *shape][-2:]
    scale = int(layout.options.get("SCALE", 0)) if scale is None else scale
    smooth = bool(layout.options.get("SMOOTH", 0))
    return HCompress1(scale=scale, smooth=smooth, bytepix=_HCOMPRESS_BYTES, nx=rows, ny=columns)


def raise_integers(
    numbers: np.ndarray, light: np.ndarray, blank: int | None, generator: np.random.Generator
) -> np.ndarray:
    """Add light, in steps of the integers, and carry what is cut off to the next pixel of the row.

    Parameters
    ----------
    numbers : array of int, shape (..., columns)
    light : array of float, the same shape
        In units of one step of the integers.
    blank : int or None
        A number that means "no data" and stays.
    generator : numpy.random.Generator
        Draws what each row begins to carry, by which the rounding is fair on average.

    Returns
    -------
    array of int64, the same shape
    """
    untouched = np.isin(numbers, [_NULL - 1, _NULL, _ZERO, *([] if blank is None else [blank])])
    steps = np.where(untouched, 0.0, light)
    start = generator.uniform(size=(*numbers.shape[:-1], 1))
    whole = np.floor(np.cumsum(steps, axis=-1, dtype=np.float64) + start)
    return numbers.astype(np.int64) + np.diff(whole, axis=-1, prepend=0.0).astype(np.int64)
