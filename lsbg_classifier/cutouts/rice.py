"""Rows of images that are compressed row by row with RICE, as surveys' coadds are.

The layout is that of the FITS standard 4.0, section 10: a binary table with a row a row of pixels.
All rows of a section are decoded in one compiled loop without the interpreter's lock, so that
threads share the work; astropy reads the same pixels far more slowly, and one thread at a time.
"""

import zlib

import numpy as np
from astropy.io import fits

from lsbg_classifier.cutouts.rice_decoder import coding_of
from lsbg_classifier.cutouts.rice_rows import (
    PackedRows,
    Quantization,
    decode_flux_signs,
    decode_fluxes,
    decode_numbers,
    random_numbers,
)
from lsbg_classifier.cutouts.tile_folder import FetchedFile, LocalFile, UnpackedFile

_CODED = {1: np.uint8, 2: np.int16, 4: np.int32}
_ZIPPED = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4"}
_DITHERS = {"NO_DITHER": 0, "SUBTRACTIVE_DITHER_1": 1, "SUBTRACTIVE_DITHER_2": 2}
_OTHER_KEYS = {"BZERO", "BSCALE", "ZSCALE", "ZZERO"}
_OTHER_COLUMNS = {"ZBLANK", "UNCOMPRESSED_DATA"}
"""Keywords and columns that this class does not know; astropy reads images that have them."""

_NO_CODE = 1 << 40
"""A number that no pixel is coded as."""

_GZIP = 16 + zlib.MAX_WBITS
"""Tells zlib to expect the header of gzip."""


class RiceImage:
    """One image extension of a file, of which only the bytes of the rows that are read are touched.

    Parameters
    ----------
    file : LocalFile or FetchedFile
    hdu : astropy.io.fits.BinTableHDU
        The extension as a table: from a file opened with ``disable_image_compression``.
    only_signs : bool
        Whether sections tell only which pixels are positive.

    Raises
    ------
    ValueError
        If its numbers make no sense, or contradict each other.
    """

    def __init__(
        self,
        file: LocalFile | FetchedFile | UnpackedFile,
        hdu: fits.BinTableHDU,
        *,
        only_signs: bool = False,
    ):
        header, self._only_signs = hdu.header, only_signs
        self._width, self._height = header["ZNAXIS1"], header["ZNAXIS2"]
        self._coded_type = np.dtype(_coded_type(header))
        block = _whole("BLOCKSIZE", _options(header).get("BLOCKSIZE", 32), 1)
        self._coding = coding_of(self._coded_type.itemsize, block)
        self._zipped_type = np.dtype(_ZIPPED[header["ZBITPIX"]])
        start = hdu.fileinfo()["datLoc"]
        rows = file.array(hdu.columns.dtype.newbyteorder(">"), start, (self._height,))
        self._file = file
        self._rows, self._columns = slice(0, 0), slice(0, 0)
        self._lines = np.empty((0, 0))
        self._heap = start + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
        self._coded = _places(rows, "COMPRESSED_DATA", file.size - self._heap)
        self._zipped = _places(rows, "GZIP_COMPRESSED_DATA", file.size - self._heap)
        self._quantization = _quantization(header, rows) if header["ZBITPIX"] < 0 else None

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
            float32, NaN where there are no data; or the integers as they are stored; or 1 where
            pixels are positive and 0 elsewhere.

        Raises
        ------
        ValueError
            If the rows are damaged, or there are fewer rows or columns.
        """
        if rows.stop > self._height or columns.stop > self._width:
            raise ValueError(f"the image has only {self._width}x{self._height} pixels")
        image, ready = self._begin(rows, columns)
        self._rows = slice(0, 0)  # until all that follows has succeeded
        self._decode(slice(rows.start + ready, rows.stop), columns, image[ready:])
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
        fluxes = np.float32 if self._quantization else self._coded_type
        return np.empty((height, width), np.uint8 if self._only_signs else fluxes)

    def _decode(self, rows: slice, columns: slice, lines: np.ndarray):
        """Decode some rows; a row that RICE would make larger is stored gzipped instead."""
        coded, zipped = self._coded[rows], self._zipped[rows]
        if damaged := np.flatnonzero((coded[:, 0] < 0) | (zipped[:, 0] < 0)).tolist():
            number = rows.start + damaged[0]
            raise ValueError(f"row {number} is damaged (its bytes lie beyond the end of the file)")
        content, start = self._content(np.concatenate([coded, zipped]))
        packed = PackedRows(content, coded - [0, start], rows.start)
        numbers = np.empty(columns.stop, self._coded_type)
        wanted = columns.start, lines
        if self._quantization is None:
            failed = decode_numbers(packed, self._coding, numbers, *wanted, self._only_signs)
        else:
            decode = decode_flux_signs if self._only_signs else decode_fluxes
            failed = decode(packed, self._coding, numbers, self._quantization, *wanted)
        if failed >= 0:
            raise ValueError(f"row {rows.start + failed} is damaged (it ends early)")
        self._unzip(rows.start, content, zipped - [0, start], columns, lines)

    def _content(self, places: np.ndarray) -> tuple[np.ndarray, int]:
        """Read the bytes of all rows in one piece, because rows follow each other in the file."""
        places = places[places[:, 0] > 0]
        if not len(places):
            return np.empty(0, np.uint8), 0
        start, stop = int(places[:, 1].min()), int(places.sum(axis=1).max())
        return self._file.array(np.dtype("u1"), self._heap + start, (stop - start,)), start

    def _unzip(self, first: int, content: np.ndarray, places: np.ndarray, columns: slice, lines):
        """Unpack the gzipped rows among some; many are all alike, as those without data."""
        size, before, line = self._width * self._zipped_type.itemsize, None, lines[:1]
        is_zipped = self._coded[first : first + len(places), 0] == 0
        for number in np.flatnonzero(is_zipped).tolist():
            length, start = places[number]
            packed = content[start : start + length].tobytes()
            if packed != before:
                pixels = _unzipped(first + number, packed, size).view(self._zipped_type)[columns]
                line = pixels > 0 if self._only_signs else pixels
            lines[number], before = line, packed


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


def _unzipped(number: int, packed: bytes, size: int) -> np.ndarray:
    """Unpack `size` bytes and no more: a damaged or hostile file could unpack to gigabytes."""
    try:
        unpacked = zlib.decompressobj(_GZIP).decompress(packed, size)
    except zlib.error as error:
        raise ValueError(f"row {number} is damaged ({error})") from error
    if len(unpacked) < size:
        raise ValueError(f"row {number} is damaged (it ends early)")
    return np.frombuffer(unpacked, np.uint8)


def _quantization(header, rows: np.ndarray) -> Quantization:
    """Return how the fluxes of all rows became integers."""
    return Quantization(
        rows["ZSCALE"].astype(float),
        rows["ZZERO"].astype(float),
        _DITHERS[header.get("ZQUANTIZ", "NO_DITHER")],
        _whole("ZBLANK", header.get("ZBLANK", _NO_CODE), -_NO_CODE),
        _whole("ZDITHER0", header.get("ZDITHER0", 1), 1),
        random_numbers(),
    )


def _whole(name: str, value: object, least: int) -> int:
    """Return a number that compiled code takes; refuse what is no whole number or out of range."""
    if type(value) is not int or not least <= value <= _NO_CODE:
        raise ValueError(f"{name} is {value!r}")
    return value
