"""The images of a folder of tiles as injection and detection need them.

This is the one place that knows how `lsbg_classifier.cutouts` describes them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.urls import is_url
from lsbg_classifier.cutouts.geometry import SkyGrid
from lsbg_classifier.cutouts.image_kinds import BANDS
from lsbg_classifier.cutouts.no_data import MaskBits, whole_bits, without_data
from lsbg_classifier.cutouts.sections import (
    Image,
    ImageFile,
    UnreadableImageError,
    read_section,
)
from lsbg_classifier.cutouts.sides import Side
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_groups import BandImage, Tile, supposed_zero_point
from lsbg_classifier.cutouts.tile_index import TileIndex
from lsbg_classifier.cutouts.tile_report import describe_assumptions
from lsbg_classifier.surveys import Survey

NANOMAGGIE_ZERO_POINT = 22.5
"""AB magnitude of one nanomaggie."""


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
    image : BandImage
        The image as cutouts read it.
    """

    path: Path
    extension: int
    plane: int | None
    nanomaggies: float
    image: BandImage


@dataclass(frozen=True)
class TileImages:
    """The images of one tile, on one grid of pixels.

    Attributes
    ----------
    name : str
    folder : Path
        Of all tiles.
    grid : SkyGrid
    pixel_scale : float
        Arcseconds.
    bands : dict of str to BandFile
        Blue to red.
    """

    name: str
    folder: Path
    grid: SkyGrid
    pixel_scale: float
    bands: dict[str, BandFile]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.grid.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.grid.height

    def sky_of(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where pixels lie on the sky.

        Parameters
        ----------
        x, y : array of float, shape (N,)
            Pixels from 0.

        Returns
        -------
        ra, dec : array of float64, shape (N,)
            ICRS degrees; NaN where the projection leads nowhere.
        """
        if not len(x):
            return np.empty(0), np.empty(0)
        ra, dec = self.grid.sky_of(np.asarray(x, float), np.asarray(y, float)).T
        return ra, dec

    def side_files(self) -> list[Path]:
        """Return the files of weights and masks that hold no image of the tile."""
        images = {file.path for file in self.bands.values()}
        sides = [s for f in self.bands.values() for s in (f.image.weight, f.image.mask) if s]
        return sorted({self.folder / side.path for side in sides} - images)


class TileSet:
    """All tiles of a folder, in order of their names.

    Parameters
    ----------
    folder : path
        Anything that ``tiles:`` reads and that is on disk.
    survey : str, optional
        Whose images they are, where the names do not tell.
    pattern : str, optional
        How the files are named; see `TileIndex.of_folder`.

    Attributes
    ----------
    folder : Path
    tiles : list of TileImages
    fingerprint : str
        Changes when an image does.
    assumptions : list of str
        What is supposed of the images because no file says it; plain sentences.

    Raises
    ------
    InputError
        If there is no such folder, or it is named by a URL, or its images cannot be used.
    """

    def __init__(self, folder: str | Path, survey: str | None = None, pattern: str | None = None):
        if is_url(folder):
            raise InputError(f"{folder}: mocks go into images on disk; download the tiles first")
        self.folder = Path(folder).expanduser()
        index = TileIndex.of_folder(self.folder, survey, pattern)
        self.fingerprint = index.fingerprint
        tiles = [_adapted(self.folder, tile, index.survey) for tile in index.tiles]
        self.tiles = sorted(tiles, key=lambda tile: tile.name)
        has_survey = survey is not None
        supposed = describe_assumptions(index, self.bands, has_survey=has_survey)
        # Only cutouts convert pixels; mocks and detections are in the images' own.
        self.assumptions = [line for line in supposed if "converted" not in line]

    @property
    def bands(self) -> tuple[str, ...]:
        """All bands that any tile has, blue to red."""
        there = {band for tile in self.tiles for band in tile.bands}
        return tuple(band for band in BANDS if band in there)


def _adapted(folder: Path, tile: Tile, survey: Survey) -> TileImages:
    if len(tile.grids) > 1:
        paths = ", ".join(sorted({image.path for image in tile.images.values()}))
        raise InputError(
            f"{folder}: the bands of tile {tile.name} lie on different pixels ({paths}); resample "
            "them to the same ones, or move them away"
        )
    bands = {}
    for band in BANDS:
        if band in tile.images:
            image, science = tile.images[band], tile.science[band]
            if image.asinh is not None:
                raise InputError(
                    f"{folder / image.path}: its pixels are inverse hyperbolic sines, to which no "
                    "light can be added; convert them to fluxes"
                )
            own = _own_nanomaggies(science, tile, survey)
            path = folder / image.path
            bands[band] = BandFile(path, image.extension, image.plane, own, image)
    scale = next(iter(tile.science.values())).pixel_scale
    return TileImages(tile.name, folder, tile.grids[0], scale, bands)


def _own_nanomaggies(science: ScienceImage, tile: Tile, survey: Survey) -> float:
    """Return what a count is in the image's own pixels, not in the survey's."""
    nanomaggies = science.scale.nanomaggies
    if nanomaggies is None:
        zero_point = supposed_zero_point(tile.layout, survey)
        nanomaggies = 10 ** (-0.4 * (zero_point - NANOMAGGIE_ZERO_POINT))
    if science.scale.per_native_pixel:
        return nanomaggies * (science.pixel_scale / survey.pixel_scale) ** 2
    return nanomaggies


class OpenImages:
    """The files of a tile, open for reading sections; a context manager.

    Parameters
    ----------
    tile : TileImages

    Raises
    ------
    InputError
        If a file cannot be read.
    """

    def __init__(self, tile: TileImages):
        self._tile = tile
        self._files: dict[Path, ImageFile] = {}
        with ExitStack() as opened:
            self._parts = {
                band: {
                    name: self._open(opened, place)
                    for name, place in _places(file.image).items()
                    if place is not None
                }
                for band, file in tile.bands.items()
            }
            self._opened = opened.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._opened.close()

    def _open(self, opened: ExitStack, place: BandImage | Side) -> tuple[Image, Path]:
        path = self._tile.folder / place.path
        with _naming(path):
            if path not in self._files:
                self._files[path] = opened.enter_context(ImageFile(path))
            return self._files[path].image(place.extension, place.plane), path

    def read(self, band: str, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Read a section of one band.

        Parameters
        ----------
        band : str
        rows, columns : slice

        Returns
        -------
        fluxes : array of float32, shape (rows, columns)
            Nanomaggies a pixel; NaN where nothing was observed: see `cutouts.no_data`, but that
            every exact zero in an image of floats without a weight has no data here.
        bad : array of bool, shape (rows, columns)
            Where nothing was observed, or the mask says not to trust it.
        """
        file = self._tile.bands[band]
        parts = {}
        for name, (image, path) in self._parts[band].items():
            with _naming(path):
                parts[name] = np.array(read_section(image, rows, columns))
        counts, place = parts["counts"], file.image
        fluxes = np.multiply(counts, file.nanomaggies, dtype=np.float64).astype(np.float32)
        blank = without_data(counts, file.nanomaggies, place.is_integer, place.blank)
        bad = np.zeros(counts.shape, bool)
        if "weight" in parts:
            blank |= ~(parts["weight"] > 0)
        elif not place.is_integer:
            blank |= counts == 0
        if place.mask is not None:
            bits = place.mask.bits.get(band, MaskBits())
            mask = whole_bits(parts["mask"])
            blank |= (mask & _bits(mask, bits.no_data)) != 0
            bad = (mask & _bits(mask, bits.bad)) != 0
        fluxes[blank] = np.nan
        return fluxes, bad | blank


def _places(image: BandImage) -> dict[str, BandImage | Side | None]:
    return {"counts": image, "weight": image.weight, "mask": image.mask}


def _bits(mask: np.ndarray, bits: int) -> np.ndarray:
    """Return bits in the type of a mask, which has no others."""
    return np.array(bits).astype(mask.dtype)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make damaged images an error that names the file."""
    try:
        yield
    except UnreadableImageError as error:
        raise InputError(f"{path}: not a readable image ({error}); repair or remove it") from error
