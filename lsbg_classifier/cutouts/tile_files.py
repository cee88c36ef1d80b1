"""What one file of a folder of images holds: which extensions are what, of which band, and where.

A file is described once, and the description is remembered; see `tile_memory`.
"""

import math
import re
from dataclasses import replace

import numpy as np
from astropy.io import fits

from catalogs.errors import InputError, one_line
from catalogs.fits_headers import UNREADABLE, NoFitsError, check_headers
from lsbg_classifier.cutouts.flux_scale import ScaleError, read_flux_scale
from lsbg_classifier.cutouts.geometry import SkyError, read_grid
from lsbg_classifier.cutouts.image_kinds import (
    BANDS,
    Kind,
    bands_of_header,
    kind_of_header,
    kind_of_keywords,
)
from lsbg_classifier.cutouts.layouts import FileName
from lsbg_classifier.cutouts.no_data import MaskBits, bits_of_mask
from lsbg_classifier.cutouts.sides import Side, sides_of, with_places
from lsbg_classifier.cutouts.tile_contents import FileContent, ScienceImage
from lsbg_classifier.cutouts.tile_folder import TileFolder

_COORDINATES = re.compile(
    r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12]|(CD|PC)0{0,2}[12]_?0{0,2}[12]|PV[12]_\d+"
    r"|LONPOLE|LATPOLE|EQUINOX|EPOCH|RADESYS|RADECSYS|WCSAXES|(A|B|AP|BP)_(ORDER|\d_\d)"
)
"""Keywords of coordinates on the sky."""


class PassedOverError(Exception):
    """A file without an image that can be used; the message says why."""


class NoImageFileError(InputError):
    """A file that is no FITS file, whatever its name says: empty, a text or a page of a server."""


def read_file(folder: TileFolder, path: str, name: FileName) -> FileContent:
    """Describe what one file holds.

    Parameters
    ----------
    folder : TileFolder
    path : str
        File in the folder.
    name : FileName
        What its name says.

    Returns
    -------
    FileContent

    Raises
    ------
    NoImageFileError
        If the file is no FITS file.
    InputError
        If it is damaged, or what it says of itself is contradictory.
    """
    try:
        with folder.opened(path) as file:
            check_headers(file)
            with fits.open(file, memmap=False, lazy_load_hdus=True) as hdus:
                return _Reader(path, name).read(hdus, _size(file))
    except PassedOverError as error:
        return FileContent(passed_over=str(error))
    except ScaleError as error:
        raise InputError(f"{folder.where(path)}: {error}") from error
    except InputError:
        raise
    except UNREADABLE as error:
        reason = one_line(error)
        kind = NoImageFileError if isinstance(error, NoFitsError) else InputError
        raise kind(
            f"{folder.where(path)}: not a readable image ({reason}); repair or remove it"
        ) from error


def _size(file) -> int:
    place = file.tell()
    size = file.seek(0, 2)
    file.seek(place)
    return size


class _Reader:
    """Describes the extensions of one file."""

    def __init__(self, path: str, name: FileName):
        self._path, self._name = path, name

    def read(self, hdus: fits.HDUList, size: int) -> FileContent:
        """Describe science images, weights and masks; refuse a file that is cut off."""
        kinds = {n: self._kind(hdus, n) for n, hdu in enumerate(hdus) if _is_image(hdu)}
        _check_whole(hdus, size)
        sides = [
            side
            for number, kind in kinds.items()
            if kind in (Kind.WEIGHT, Kind.MASK)
            for side in self._sides(hdus, number, kind)
        ]
        sides = with_places(
            sides, lambda number: _with_coordinates(hdus[number].header, hdus[0].header)
        )
        if self._name.kind in (Kind.WEIGHT, Kind.MASK):
            return FileContent(sides=sides)
        images = self._science_images(hdus, kinds, sides)
        _check_distinct(images)
        weights, masks = (sides_of(images, sides, kind) for kind in (Kind.WEIGHT, Kind.MASK))
        together = zip(images, weights, masks, strict=True)
        return FileContent([replace(i, weight=w, mask=m) for i, w, m in together], sides)

    def _science_images(self, hdus, kinds: dict, sides: list[Side]) -> list[ScienceImage]:
        chosen = [n for n, kind in kinds.items() if kind == Kind.SCIENCE]
        chosen = chosen or _before_named_mask(hdus, [n for n, k in kinds.items() if k is None])
        images, reasons = [], []
        for number in chosen:
            try:
                images += self._images(hdus, number)
            except PassedOverError as reason:
                reasons.append(reason)
        if not images and (reasons or not sides):
            others = "its header says that it is no science image" if kinds else _no_image(hdus)
            raise reasons[0] if reasons else PassedOverError(others)
        return images

    def _kind(self, hdus, number: int) -> Kind | None:
        kind = kind_of_header(hdus[number].header)
        if kind is None and not _is_image(hdus[0]):
            whole = kind_of_keywords(hdus[0].header)
            kind = whole if whole in (Kind.WEIGHT, Kind.MASK) else None
        by_name = self._name.kind
        if by_name in (Kind.WEIGHT, Kind.MASK) and kind in (None, Kind.SCIENCE, Kind.OTHER):
            return by_name
        return kind

    def _sides(self, hdus, number: int, kind: Kind) -> list[Side]:
        hdu = hdus[number]
        planes = _planes(hdu)
        bands = bands_of_header(hdu.header, planes) or [self._name.band] * planes
        cube = len(hdu.shape) > 2
        return [
            Side(
                kind,
                self._path,
                number,
                plane if cube else None,
                band,
                hdu.shape[-2:],
                self._bits(hdu.header) if kind == Kind.MASK else {},
            )
            for plane, band in enumerate(bands)
        ]

    def _bits(self, header) -> dict[str, MaskBits]:
        return {band: bits_of_mask(header, self._name.layout.name, band) for band in BANDS}

    def _images(self, hdus, number: int) -> list[ScienceImage]:
        hdu, primary = hdus[number], hdus[0].header
        if number and _is_image(hdus[0]) and not hdu.header.get("INHERIT"):
            primary = fits.Header()  # it is about an image of its own
        bands = self._bands(hdu, primary)
        height, width = hdu.shape[-2:]
        try:
            grid = read_grid(_with_coordinates(hdu.header, primary), width, height)
        except SkyError as error:
            raise PassedOverError(str(error)) from error
        scale = grid.pixel_scale()
        is_integer = hdu.header["BITPIX"] > 0
        image = ScienceImage(
            self._path,
            number,
            None,
            "",
            (height, width),
            grid,
            grid.outline().tolist(),
            scale,
            read_flux_scale(hdu.header, primary, math.radians(scale / 3600) ** 2),
            is_integer,
            _blank(hdu.header),
        )
        cube = len(hdu.shape) > 2
        return [
            replace(image, band=band, plane=plane if cube else None)
            for plane, band in enumerate(bands)
        ]

    def _bands(self, hdu, primary) -> list[str]:
        """Return the band of each plane, by the name and by the headers, which must agree."""
        planes = _planes(hdu)
        bands = bands_of_header(hdu.header, planes) or bands_of_header(primary, planes)
        name = self._name.band
        if name and planes == 1:
            if bands and bands != [name] and name in BANDS and not self._name.surely:
                raise InputError(
                    f"{self._path}: its name says band {name}, its header band {bands[0]}; correct "
                    "the wrong one, or say with --tiles how the files are named"
                )
            bands = [name]
        if not bands and planes > 1:
            raise PassedOverError(
                f"its header does not say of which bands its {planes} planes are: write BANDS, "
                "such as g,r,z"
            )
        if not bands:
            raise PassedOverError("neither its name nor its header says which band it is")
        if not set(bands) <= set(BANDS):
            raise PassedOverError(f"band {', '.join(bands)} is not one of {' '.join(BANDS)}")
        return bands


def _blank(header) -> float | None:
    """Return the value that stands for "no data", as pixels have it when they are read.

    astropy makes NaN of it in images of integers, but not in those of unsigned ones. Of integers
    that are scaled, the least stands for it where the header names none: no scaling makes that of
    a flux.
    """
    blank, bits = header.get("BLANK"), header["BITPIX"]
    scale, zero = header.get("BSCALE", 1), header.get("BZERO", 0)
    if bits < 0:
        return float(blank) if isinstance(blank, int | float) else None
    if isinstance(blank, int | float):
        return float(blank) * scale + zero
    least = -(2.0 ** (bits - 1))
    if bits not in (16, 32) or (scale, zero) in ((1, 0), (1, -least)):
        return None
    read = np.array([least], np.float32 if bits == 16 else np.float64)  # as astropy scales it
    return float((read * scale + zero)[0])


def _with_coordinates(header, primary):
    """Return a header, with the coordinates of the primary one where it has none of its own."""
    if "CTYPE1" in header or "CTYPE1" not in primary:
        return header
    whole = fits.Header(header, copy=True)
    whole.update({key: primary[key] for key in primary if _COORDINATES.fullmatch(key)})
    return whole


def _before_named_mask(hdus, numbers: list[int]) -> list[int]:
    """Leave out extensions after a mask with named bits: image, mask, variance is their order."""
    masks = [n for n, hdu in enumerate(hdus) if any(key.startswith("MP_") for key in hdu.header)]
    return [n for n in numbers if n < masks[0]] or numbers if masks else numbers


def _is_image(hdu) -> bool:
    return bool(hdu.is_image and len(hdu.shape) in (2, 3) and min(hdu.shape) > 0)


def _no_image(hdus) -> str:
    """Say why a file has no image: there is none, or one of more axes than a cube."""
    axes = max((len(hdu.shape) for hdu in hdus if hdu.is_image), default=0)
    return (
        f"its image has {axes} axes; write it with two, or three for bands"
        if axes > 3
        else ("no image in it")
    )


def _planes(hdu) -> int:
    return hdu.shape[0] if len(hdu.shape) == 3 else 1


def _check_whole(hdus, size: int):
    """Compare the size that the headers promise with the size of the file."""
    info = hdus[-1].fileinfo()
    data_end = info["datLoc"] + info["datSpan"]
    if size < data_end:
        raise ValueError(f"truncated: {size} of {data_end} bytes")


def _check_distinct(images: list[ScienceImage]):
    """Refuse two science images of one band and place in one file."""
    seen: dict[str, ScienceImage] = {}
    for image in images:
        other = seen.setdefault(image.band, image)
        if other is not image and np.allclose(other.outline, image.outline, atol=1e-5):
            raise InputError(
                f"{image.path}: extensions {other.extension} and {image.extension} may both be "
                f"the image of band {image.band}; name the right one SCI (EXTNAME)"
            )
