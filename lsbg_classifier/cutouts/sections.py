"""Reading sections of survey images, in the quickest way that each kind of file allows."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
from astropy.io import fits
from astropy.io.fits.hdu import BITPIX2DTYPE

from catalogs.fits_headers import UNREADABLE, check_headers
from lsbg_classifier.cutouts.rice import RiceImage
from lsbg_classifier.cutouts.tile_folder import FetchedFile, LocalFile, UnpackedFile

# The rows before the end of a truncated file are read; candidates that need more get a reason.
warnings.filterwarnings("ignore", "File may have been truncated")


ASTROPY_CODECS = Lock()
"""To be held while astropy packs or unpacks pixels: its code for HCOMPRESS_1 keeps its state in
static variables, and two threads at a time get wrong pixels from it."""


class UnreadableImageError(Exception):
    """An image is damaged, or another than was expected; the message says how."""


class Image(Protocol):
    """A two-dimensional image in a file."""

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a section, in memory that the next call may use again.

        Uncompressed images are not read before they are used.

        Parameters
        ----------
        rows, columns : slice
            Pixels from 0, with both ends and no step.

        Returns
        -------
        array, shape (rows, columns)
        """


def read_section(image: Image, rows: slice, columns: slice) -> np.ndarray:
    """Read a section of an image.

    Parameters
    ----------
    image : Image
    rows, columns : slice
        Pixels from 0, with both ends and no step.

    Returns
    -------
    array, shape (rows, columns)
        It may be overwritten by the next call; see `Image.read`.

    Raises
    ------
    UnreadableImageError
        If it cannot be read, or the image ends before it does.
    """
    with _refusing_damage():
        section = image.read(rows, columns)
    if section.shape != (rows.stop - rows.start, columns.stop - columns.start):
        raise UnreadableImageError("the image is smaller than its tile")
    return section


class ImageFile:
    """A FITS file, open for reading sections of its images; a context manager.

    Parameters
    ----------
    file : Path, LocalFile, FetchedFile or UnpackedFile
        Of a remote file only headers and the rows of the sections are fetched.
    """

    def __init__(self, file: Path | LocalFile | FetchedFile | UnpackedFile):
        self._images: fits.HDUList | None = None
        with _refusing_damage(), ExitStack() as files:
            self._bytes = LocalFile(file) if isinstance(file, Path) else file
            opened = self._bytes.open()
            check_headers(opened)
            self._tables = files.enter_context(
                fits.open(opened, memmap=True, disable_image_compression=True)
            )
            self._files = files.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._files.close()

    def image(
        self,
        extension: int,
        plane: int | None = None,
        asinh: tuple[float, float] | None = None,
        *,
        only_signs: bool = False,
    ) -> Image:
        """Open one image: an extension, or a plane of a cube.

        Parameters
        ----------
        extension : int
        plane : int, optional
        asinh : tuple of float, optional
            BOFFSET and BSOFTEN, where pixels hold inverse hyperbolic sines of counts.
        only_signs : bool
            Whether it is enough to know which pixels are positive, as it is of weights. Sections
            may then hold ones and zeros, which are quicker to read.

        Returns
        -------
        Image

        Raises
        ------
        UnreadableImageError
            If it is damaged.
        """
        with _refusing_damage():
            image = self._image(extension, plane, only_signs)
            return image if asinh is None else _Asinh(image, *asinh)

    def _image(self, extension: int, plane: int | None, only_signs: bool) -> Image:
        hdu = self._tables[extension]
        if isinstance(hdu, fits.BinTableHDU):
            if plane is None and RiceImage.fits_into(hdu):
                return RiceImage(self._bytes, hdu, only_signs=only_signs)
        elif not {"BZERO", "BSCALE", "BLANK"} & set(hdu.header):
            return _PlainImage(self._bytes, hdu, plane)
        if self._images is None:
            self._images = self._files.enter_context(fits.open(self._bytes.open(), memmap=False))
        return _Section(self._images[extension], plane)


@contextmanager
def _refusing_damage() -> Iterator[None]:
    """Make one error of all that libraries raise on damaged files."""
    try:
        yield
    except UNREADABLE as error:
        raise UnreadableImageError(str(error)) from error


class _PlainImage:
    """Pixels as they lie in the file."""

    def __init__(self, file: LocalFile | FetchedFile | UnpackedFile, hdu, plane: int | None):
        self._file, self._shape = file, hdu.shape[-2:]
        self._dtype = np.dtype(BITPIX2DTYPE[hdu.header["BITPIX"]]).newbyteorder(">")
        self._row_bytes = self._shape[1] * self._dtype.itemsize
        self._start = hdu.fileinfo()["datLoc"] + (plane or 0) * self._shape[0] * self._row_bytes

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        stop = min(rows.stop, self._shape[0])
        shape = (max(0, stop - rows.start), self._shape[1])
        start = self._start + rows.start * self._row_bytes
        return self._file.array(self._dtype, start, shape)[:, columns]


class _Section:
    """An image of any other kind, read by astropy."""

    def __init__(self, hdu, plane: int | None):
        self._hdu = hdu
        self._plane = () if plane is None else (plane,)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        with ASTROPY_CODECS:
            return self._hdu.section[(*self._plane, rows, columns)]


class _Asinh:
    """Counts of pixels that hold their inverse hyperbolic sines, as those of Pan-STARRS do.

    The counts are BOFFSET + 2 BSOFTEN sinh(x ln(10) / 2.5) (Waters et al. 2020, section 7).
    """

    def __init__(self, image: Image, offset: float, softening: float):
        self._image, self._offset, self._softening = image, offset, softening

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        pixels = np.asarray(self._image.read(rows, columns), np.float64)
        with np.errstate(over="ignore"):
            counts = self._offset + 2 * self._softening * np.sinh(pixels * (np.log(10) / 2.5))
        return counts.astype(np.float32)
