"""The images of a folder of tiles as injection and detection need them.

This is the one place that knows how `lsbg_classifier.cutouts` describes them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from catalogs.errors import InputError
from catalogs.urls import is_url
from lsbg_classifier.cutouts.sections import ImageFile, UnreadableImageError, read_section
from lsbg_classifier.cutouts.tile_index import BandImage, Tile, TileIndex
from lsbg_classifier.surveys import survey_named

_SAME_SCALE = 0.01
"""Fraction by which a tile's pixels may differ from its survey's and count as the same."""


@dataclass(frozen=True)
class BandFile:
    """Where one band of a tile lies on disk.

    Attributes
    ----------
    path : Path
    extension : int
    plane : int or None
        Which plane, if the extension is a cube.
    nanomaggies : float
        What one count is, in this image's own pixels.
    mask_extension : int or None
    no_data_bits, bad_bits : int
        Bits of the mask that mean "nothing was observed" and "do not trust".
    """

    path: Path
    extension: int
    plane: int | None
    nanomaggies: float
    mask_extension: int | None
    no_data_bits: int
    bad_bits: int


@dataclass(frozen=True)
class TileImages:
    """The images of one tile, on one grid of pixels.

    Attributes
    ----------
    name : str
    survey : str
        Name of the survey whose images they are.
    width, height : int
        Pixels.
    wcs_header : str
        The celestial WCS as FITS cards.
    bands : dict of str to BandFile
        Blue to red.
    """

    name: str
    survey: str
    width: int
    height: int
    wcs_header: str
    bands: dict[str, BandFile]

    def wcs(self) -> WCS:
        """Return a new WCS: astropy's are not safe to share between threads."""
        return WCS(fits.Header.fromstring(self.wcs_header), naxis=2)

    @cached_property
    def pixel_scale(self) -> float:
        """Arcseconds a pixel."""
        return 3600 * float(np.sqrt(proj_plane_pixel_area(self.wcs())))


class TileSet:
    """All tiles of a folder, in order of their names.

    Parameters
    ----------
    folder : path
        Anything that ``tiles:`` reads and that is on disk.
    survey : str, optional
        Whose images they are, where the names do not tell.

    Attributes
    ----------
    tiles : list of TileImages
    fingerprint : str
        Changes when an image does.

    Raises
    ------
    InputError
        If there is no such folder, or it is named by a URL, or its images cannot be used.
    """

    def __init__(self, folder: str | Path, survey: str | None = None):
        if is_url(folder):
            raise InputError(f"{folder}: mocks go into images on disk; download the tiles first")
        folder = Path(folder).expanduser()
        index = TileIndex.of_folder(folder, survey)
        self.folder, self.fingerprint = folder, index.fingerprint
        self.tiles = sorted((_adapted(folder, t) for t in index.tiles), key=lambda t: t.name)

    @property
    def bands(self) -> tuple[str, ...]:
        """All bands that any tile has, blue to red."""
        there = {band for tile in self.tiles for band in tile.bands}
        return tuple(band for band in "ugrizy" if band in there)


def _adapted(folder: Path, tile: Tile) -> TileImages:
    bands = {band: tile.images[band] for band in "ugrizy" if band in tile.images}
    scale = 3600 * float(np.sqrt(proj_plane_pixel_area(tile.wcs())))
    ratio = scale / survey_named(tile.survey).pixel_scale
    files = {band: _band_file(folder, image, ratio) for band, image in bands.items()}
    return TileImages(tile.name, tile.survey, tile.width, tile.height, tile.wcs_header, files)


def _band_file(folder: Path, image: BandImage, ratio: float) -> BandFile:
    """Take back what the index multiplies by for the survey's pixels: see its `_nanomaggies`."""
    own = image.nanomaggies if abs(ratio - 1) <= _SAME_SCALE else image.nanomaggies * ratio**2
    return BandFile(
        folder / image.path,
        image.extension,
        image.plane,
        own,
        image.mask_extension,
        image.no_data_bits,
        image.bad_bits,
    )


class OpenImages:
    """The files of a tile, open for reading sections; a context manager.

    Raises
    ------
    InputError
        If a file cannot be read.
    """

    def __init__(self, tile: TileImages):
        self._tile, self._images, self._masks = tile, {}, {}
        with ExitStack() as opened:
            files: dict[Path, ImageFile] = {}
            for band, file in tile.bands.items():
                with _naming(file.path):
                    if file.path not in files:
                        files[file.path] = opened.enter_context(ImageFile(file.path))
                    self._images[band] = files[file.path].image(file.extension, file.plane)
                    if file.mask_extension is not None:
                        mask = files[file.path].image(file.mask_extension, file.plane)
                        self._masks[band] = mask
            self._open = opened.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._open.close()

    def read(self, band: str, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Read a section of one band.

        Returns
        -------
        fluxes : array of float32, shape (rows, columns)
            Nanomaggies a pixel; NaN where nothing was observed.
        bad : array of bool, shape (rows, columns)
            Where nothing was observed, or the mask says not to trust it.
        """
        file = self._tile.bands[band]
        with _naming(file.path):
            counts = read_section(self._images[band], rows, columns)
            fluxes = np.multiply(counts, file.nanomaggies, dtype=np.float64).astype(np.float32)
            blank = ~np.isfinite(fluxes)
            if counts.dtype.kind == "f":
                blank |= counts == 0
            bad = blank
            if band in self._masks:
                mask = read_section(self._masks[band], rows, columns)
                blank = blank | ((mask & _bits(mask, file.no_data_bits)) != 0)
                bad = blank | ((mask & _bits(mask, file.bad_bits)) != 0)
        fluxes[blank] = np.nan
        return fluxes, bad


def _bits(mask: np.ndarray, bits: int) -> np.integer:
    return np.array(bits).astype(mask.dtype)[()]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make damaged images an error that names the file."""
    try:
        yield
    except UnreadableImageError as error:
        raise InputError(f"{path}: not a readable image ({error}); repair or remove it") from error
