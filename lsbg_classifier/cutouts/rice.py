"""Rows of images that are compressed row by row with RICE, as surveys' coadds are.

The layout is that of the FITS standard 4.0, section 10: a binary table with a row a row of pixels.
The rows are decoded by imagecodecs, without the interpreter's lock, so that threads share the
work; astropy reads the same pixels at half the speed, and one thread at a time.
"""

import gzip
import zlib
from functools import cache
from io import BytesIO
from typing import NamedTuple

import imagecodecs
import numpy as np
from astropy.io import fits

from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.tile_folder import FetchedFile, LocalFile, UnpackedFile

_CODED = {1: np.uint8, 2: np.int16, 4: np.int32}
_ZIPPED = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4"}
_DITHERS = {"NO_DITHER": 0, "SUBTRACTIVE_DITHER_1": 1, "SUBTRACTIVE_DITHER_2": 2}
_ZERO, _RANDOMS = -2_147_483_646, 10_000
"""The code of an exact zero under SUBTRACTIVE_DITHER_2, and the length of the table of random
numbers; FITS standard 4.0, section 10.2.2 and appendix I."""

_OTHER_KEYS = {"BZERO", "BSCALE", "ZSCALE", "ZZERO"}
_OTHER_COLUMNS = {"ZBLANK", "UNCOMPRESSED_DATA"}
"""Keywords and columns that this class does not know; astropy reads images that have them."""


class _Quantization(NamedTuple):
    """How the fluxes of a row became integers, for compiled code.

    Attributes
    ----------
    scale, zero : float
        A flux is an integer times `scale`, plus `zero`.
    dither : int
        The method of dithering, by its number in `_DITHERS`.
    blank : int
        The integer that stands for "no data".
    """

    scale: float
    zero: float
    dither: int
    blank: int


class RiceImage:
    """One image extension of a file, of which only the bytes of the rows that are read are touched.

    Parameters
    ----------
    file : LocalFile or FetchedFile
    hdu : astropy.io.fits.BinTableHDU
        The extension as a table: from a file opened with ``disable_image_compression``.

    Raises
    ------
    ValueError
        If its numbers contradict each other.
    """

    def __init__(self, file: LocalFile | FetchedFile | UnpackedFile, hdu: fits.BinTableHDU):
        header = hdu.header
        self._width, self._height = header["ZNAXIS1"], header["ZNAXIS2"]
        options = _options(header)
        self._block, self._coded_type = options.get("BLOCKSIZE", 32), _coded_type(header)
        self._zipped_type = np.dtype(_ZIPPED[header["ZBITPIX"]])
        self._quantized = header["ZBITPIX"] < 0
        self._dither = _DITHERS[header.get("ZQUANTIZ", "NO_DITHER")]
        self._seed, self._blank = header.get("ZDITHER0", 1), header.get("ZBLANK", 1 << 40)
        start = hdu.fileinfo()["datLoc"]
        rows = file.array(hdu.columns.dtype.newbyteorder(">"), start, (self._height,))
        self._file = file
        self._rows, self._columns = slice(0, 0), slice(0, 0)
        self._lines = np.empty((0, 0))
        self._heap = start + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
        self._coded = _places(rows, "COMPRESSED_DATA", file.size - self._heap)
        self._zipped = _places(rows, "GZIP_COMPRESSED_DATA", file.size - self._heap)
        if self._quantized:
            self._scale, self._zero = rows["ZSCALE"].astype(float), rows["ZZERO"].astype(float)

    @staticmethod
    def fits_into(hdu) -> bool:
        """Whether an extension, opened as a table, is an image that this class reads."""
        header, columns = hdu.header, set(hdu.columns.names)
        if not header.get("ZIMAGE") or header.get("ZNAXIS") != 2:
            return False
        width, height = header["ZNAXIS1"], header["ZNAXIS2"]
        return (
            header.get("ZCMPTYPE") in ("RICE_1", "RICE_ONE")
            and (header.get("ZTILE1", width), header.get("ZTILE2", 1)) == (width, 1)
            and min(width, height) > 0
            and header["NAXIS2"] == height
            and header.get("ZBITPIX") in _ZIPPED
            and ({"ZSCALE", "ZZERO"} <= columns) == (header["ZBITPIX"] < 0)
            and header.get("ZQUANTIZ", "NO_DITHER") in _DITHERS
            and _coded_type(header) is not None
            and not _OTHER_KEYS & set(header)
            and not (header.get("ZBITPIX") > 0 and {"BLANK", "ZBLANK"} & set(header))
            and not _OTHER_COLUMNS & columns
        )

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read a section of the image.

        It lies in memory that the next call uses again. Rows at its end with which the next call
        begins are not decoded again, if the columns are the same.

        Parameters
        ----------
        rows, columns : slice
            Pixels from 0, with both ends and no step.

        Returns
        -------
        array, shape (rows, columns)
            float32, NaN where there are no data; or the integers as they are stored.

        Raises
        ------
        ValueError
            If the rows are damaged, or there are fewer rows or columns.
        """
        if rows.stop > self._height or columns.stop > self._width:
            raise ValueError(f"the image has only {self._width}x{self._height} pixels")
        image, ready = self._begin(rows, columns)
        missing = slice(rows.start + ready, rows.stop)
        self._rows = slice(0, 0)  # until all that follows has succeeded
        packed = self._packed(missing)
        for number, line in zip(range(missing.start, missing.stop), image[ready:], strict=True):
            self._read_row(number, packed, columns, line)
        self._rows = rows
        return image

    def _begin(self, rows: slice, columns: slice) -> tuple[np.ndarray, int]:
        """Return memory for a section, and how many of its first rows hold their pixels already."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if columns != self._columns:
            self._rows, self._columns = slice(0, 0), columns
            self._lines = self._new_lines(0, width)
        skipped, ready = rows.start - self._rows.start, min(self._rows.stop, rows.stop) - rows.start
        if skipped < 0 or ready < 0:
            skipped, ready = 0, 0
        before = self._lines[skipped : skipped + ready]
        if len(self._lines) < height:
            self._lines = self._new_lines(height + height // 4, width)
        image = self._lines[:height]
        image[:ready] = before
        return image, ready

    def _new_lines(self, height: int, width: int) -> np.ndarray:
        return np.empty((height, width), np.float32 if self._quantized else self._coded_type)

    def _packed(self, rows: slice) -> "_Packed":
        """Read the bytes of all rows in one piece, because rows follow each other in the file."""
        places = np.concatenate([self._coded[rows], self._zipped[rows]])
        places = places[places[:, 0] > 0]
        if not len(places):
            return _Packed(0, np.empty(0, np.uint8))
        start, stop = int(places[:, 1].min()), int(places.sum(axis=1).max())
        return _Packed(start, self._file.array(np.dtype("u1"), self._heap + start, (stop - start,)))

    def _read_row(self, number: int, packed: "_Packed", columns: slice, line: np.ndarray):
        """Decode one row; a row that RICE would make larger is stored gzipped instead."""
        if min(self._coded[number, 0], self._zipped[number, 0]) < 0:
            raise ValueError(f"row {number} is damaged (its bytes lie beyond the end of the file)")
        coded = packed.at(self._coded[number])
        if not len(coded):
            size = self._width * self._zipped_type.itemsize
            try:
                unzipped = _unzipped(packed.at(self._zipped[number]).tobytes(), size)
            except (OSError, EOFError, zlib.error) as error:
                raise ValueError(f"row {number} is damaged ({error})") from error
            if len(unzipped) < size:
                raise ValueError(f"row {number} is damaged (it ends early)")
            line[:] = np.frombuffer(unzipped, self._zipped_type)[columns]
            return
        try:
            numbers = imagecodecs.rcomp_decode(
                coded, shape=(self._width,), dtype=self._coded_type, nblock=self._block
            )
        except imagecodecs.RcompError as error:
            raise ValueError(f"row {number} is damaged ({error})") from error
        if not self._quantized:
            line[:] = numbers[columns]
            return
        place = (self._seed - 1 + number) % _RANDOMS
        scale, zero = self._scale[number], self._zero[number]
        quantization = _Quantization(scale, zero, self._dither, self._blank)
        _to_fluxes(numbers, quantization, _random_numbers(), place, columns.start, line)


class _Packed:
    """A part of the heap in memory, and the byte of the heap at which it starts."""

    def __init__(self, start: int, content: np.ndarray):
        self._start, self._content = start, content

    def at(self, place: np.ndarray) -> np.ndarray:
        """Return the bytes at a place: length, and beginning in the heap."""
        start = place[1] - self._start
        return self._content[start : start + place[0]]


def _places(rows: np.ndarray, name: str, size: int) -> np.ndarray:
    """Return the length and the beginning of each row's bytes in a heap of `size` bytes; (n, 2).

    The length is -1 where a row lies beyond the end of the file.
    """
    if name not in (rows.dtype.names or ()):
        return np.zeros((len(rows), 2), np.int64)
    places = rows[name].astype(np.int64)
    places[(places < 0).any(axis=1) | (places.sum(axis=1) > size), 0] = -1
    return places


def _options(header) -> dict[str, int]:
    """Return the parameters of the compression."""
    return {header.get(f"ZNAME{n}"): header.get(f"ZVAL{n}") for n in range(1, 9)}


def _coded_type(header) -> type | None:
    """Return the type of number that was coded."""
    return _CODED.get(_options(header).get("BYTEPIX", 4))


def _unzipped(packed: bytes, size: int) -> bytes:
    """Unpack `size` bytes and no more: a damaged or hostile file could unpack to gigabytes."""
    with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
        return file.read(size)


@cache
def _random_numbers() -> np.ndarray:
    """Return the random numbers of the FITS standard 4.0, appendix I."""
    modulus = 2_147_483_647
    values, seed = np.empty(_RANDOMS), 1
    for n in range(_RANDOMS):
        seed = 16_807 * seed % modulus
        values[n] = seed / modulus
    return values


@compiled
def _to_fluxes(numbers, quantization, randoms, place, first, line):
    """Undo quantization and dithering of a row; write the pixels from `first` on into `line`.

    Each row takes its random numbers from a place of its own in the table (FITS standard 4.0,
    section 10.2.2): the number at `place`, times 500, tells the index of the first one that is
    used. At the end of the table the next place tells where to go on. So the row is undone in
    runs, each as long as the table lasts; of a run, only the pixels from `first` on are written.
    """
    scale, zero, dither, blank = quantization
    index, n, stop = int(randoms[place] * 500), 0, first + len(line)
    exact_zero = np.int64(_ZERO) if dither == 2 else np.int64(blank)
    while n < stop:
        count = min(_RANDOMS - index, stop - n)  # pixels of this run
        skipped = min(max(0, first - n), count)  # those of them before `first`
        coded = numbers[n + skipped : n + count]
        shifts = randoms[index + skipped : index + count]
        fluxes = line[n + skipped - first : n + count - first]
        for k in range(len(fluxes)):
            shift = 0.5 - shifts[k] if dither else 0.0
            flux = np.float32((coded[k] + shift) * scale + zero)
            flux = np.float32(0) if coded[k] == exact_zero else flux
            fluxes[k] = np.float32(np.nan) if coded[k] == blank else flux
        n += count
        place = (place + 1) % _RANDOMS
        index = int(randoms[place] * 500)
