"""Decoding of images that servers send; wrong ones are refused with the reason."""

import math
import struct
import zlib
from io import BytesIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from PIL import Image

from lsbg_classifier.http import LARGEST_ANSWER
from lsbg_classifier.surveys import VIEWER_SIZE

_UNREADABLE = (
    OSError,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises on bytes that are no image, or a huge one."""

_EQUAL = 1
"""Counts that the channels of a grey image differ by at most."""

_GZIP = b"\x1f\x8b"


class WrongImageError(ValueError):
    """An image that is whole, but not what was asked for; asking again would not help."""


def decode_image(content: bytes) -> np.ndarray:
    """Decode a JPEG or PNG in colour; uint8, shape (256, 256, 3).

    The size is checked before any pixel is decoded. Images packed by gzip, PNG with a palette, and
    transparency that hides nothing are decoded too.

    Raises
    ------
    WrongImageError
        If it has another size, or colours that the network was not trained on: grey, CMYK, more
        than 8 bits, transparent pixels.
    ValueError
        If this is not a whole image.
    """
    content = _unzipped(content)
    try:
        image = Image.open(BytesIO(content), formats=["JPEG", "PNG"])
        if image.size != (VIEWER_SIZE, VIEWER_SIZE):
            raise WrongImageError(_wrong_size(image.size))
        return _colours(image)
    except _UNREADABLE as error:
        raise ValueError(_what_came(content, error)) from error


def _colours(image: Image.Image) -> np.ndarray:
    """Return red, green and blue of an image, or raise if it has no such colours."""
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        if np.asarray(image.getchannel("A")).min() < 255:
            raise WrongImageError("an image with transparent pixels")
        image = image.convert("RGB")
    if image.mode != "RGB":
        name = {"L": "grey", "1": "black and white"}.get(image.mode, image.mode)
        raise WrongImageError(f"a {name} image, not one in red, green and blue")
    colours = np.asarray(image)
    is_uniform = np.ptp(colours, axis=(0, 1)).max() <= 2
    if not is_uniform and np.ptp(colours, axis=2).max() <= _EQUAL:
        raise WrongImageError("a grey image: red, green and blue are the same")
    return colours


def read_plane(content: bytes) -> np.ndarray:
    """Read a FITS image; float32, shape (256, 256), row 0 at the top (north).

    It is the first image of the file, in the primary HDU or in an extension. It may have a third
    axis of length 1, and the file may be packed by gzip.

    Raises
    ------
    WrongImageError
        If the image has another shape.
    ValueError
        If this is not a whole, plain FITS file.
    """
    content = _unzipped(content)
    if not content.startswith(b"SIMPLE"):
        raise ValueError(_what_came(content, "not a FITS file"))
    try:
        number = _check_first_image(content)
        with fits.open(BytesIO(content)) as hdus:
            plane = np.array(hdus[number].data, np.float32)
        return plane.reshape(VIEWER_SIZE, VIEWER_SIZE)[::-1]
    except WrongImageError:
        raise
    except (OSError, TypeError, KeyError, ValueError, VerifyError) as error:
        raise ValueError(f"a damaged FITS file: {error}") from error


def _check_first_image(content: bytes) -> int:
    """Return the number of the first HDU with an image, after checking its shape and length.

    Only headers are read, so that none that promises billions of pixels is believed.
    """
    place, number = 0, 0
    while place < len(content):
        header, place = _header_at(content, place)
        shape = [header[f"NAXIS{axis}"] for axis in range(1, header["NAXIS"] + 1)]
        size = abs(header["BITPIX"]) // 8 * math.prod(shape) if shape else 0
        if shape and header.get("XTENSION", "IMAGE").strip() == "IMAGE":
            if shape[:2] != [VIEWER_SIZE] * 2 or any(length != 1 for length in shape[2:]):
                raise WrongImageError(_wrong_size(shape))
            if len(content) < place + size:
                raise ValueError("it is cut off")
            return number
        place += _blocks(size + header.get("PCOUNT", 0))
        number += 1
    raise WrongImageError("a FITS file without an image")


def _header_at(content: bytes, start: int) -> tuple[fits.Header, int]:
    """Return the header that begins at a byte, and where the data after it begin."""
    for end in range(start, len(content), 80):
        if content[end : end + 80].rstrip() == b"END":
            break
    else:
        raise ValueError("its header does not end")
    cards = content[start:end]
    if not cards.isascii():  # else astropy warns
        raise ValueError("its header holds other characters than ASCII")
    return fits.Header.fromstring(cards), start + _blocks(end + 80 - start)


def _blocks(size: int) -> int:
    """Return the bytes of the blocks of FITS, 2880 bytes each, that hold so many bytes."""
    return -(-size // 2880) * 2880


def _unzipped(content: bytes) -> bytes:
    """Unpack what is packed by gzip, up to the largest size of an answer."""
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(content, LARGEST_ANSWER)
    except zlib.error as error:
        raise ValueError(f"a damaged gzip file: {error}") from error
    if not unpacker.eof:
        what = "it is cut off" if not unpacker.unconsumed_tail else "it is too large"
        raise ValueError(f"a damaged gzip file: {what}")
    return unpacked


def _wrong_size(shape) -> str:
    """Say that an image has another size."""
    expected_size = f"{VIEWER_SIZE}x{VIEWER_SIZE}"
    return f"an image of {'x'.join(str(length) for length in shape)} pixels, not {expected_size}"


def _what_came(content: bytes, error: object) -> str:
    """Describe an answer that is no image."""
    if not content:
        return "an empty answer"
    start = content[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not an image"
    is_image = start.startswith((b"\xff\xd8", b"\x89png"))
    return f"a damaged image: {error}" if is_image else "not an image"
