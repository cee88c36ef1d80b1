"""Which coadd tiles a folder holds, what part of the sky each covers, and where that is kept."""

import hashlib
import json
import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from scipy.spatial import cKDTree

from catalogs.errors import InputError
from catalogs.fits_headers import UNREADABLE, check_headers
from catalogs.positions import unit_vectors
from lsbg_classifier.cutouts.colours import NANOMAGGIE_ZERO_POINT
from lsbg_classifier.cutouts.tile_folder import TileFolder, open_folder
from lsbg_classifier.folders import cache_folder
from lsbg_classifier.surveys import Survey, survey_named

INDEX_NAME = ".lsbg_tiles.json"
"""File beside the tiles that remembers their footprints."""

_VERSION = 2
_BANDS = ("g", "r", "i", "z")
_FILE_NAMES = (
    ("des", re.compile(r"(?P<tile>DES\d{4}[+-]\d{4})_r\w+_(?P<band>[griz])\.fits(\.fz)?")),
    ("hsc", re.compile(r"calexp-HSC-(?P<band>[GRIZ])\d?-(?P<tile>\d+-\d+,\d+)\.fits(\.fz)?")),
    ("decals", re.compile(r"(?P<tile>.+?)[-_](image-)?(?P<band>[griz])\.fits(\.fz)?")),
    ("decals", re.compile(r"(?P<tile>.+?)(?P<band>)\.fits(\.fz)?")),
)
_NOT_IMAGES = re.compile(
    r"(^|[-_])(blobmodel|ccds|chi2|depth|det|galdepth|invvar|maskbits|model|nexp|nobkg|psfdepth"
    r"|psfsize)([-_.]|$)"
)
"""What folders of surveys hold beside the coadds."""

_NEAREST_TILES = 8

_MOST_PIXELS = 1 << 20
"""Side of an image; a coadd's has some thousands."""

_ENTRY = {
    "stamp": list,
    "survey": str,
    "tile": str,
    "bands": list,
    "cube": bool,
    "shape": list,
    "wcs": str,
    "outline": list,
    "pixel_scale": float,
    "from_viewer": bool,
    "zero_point": float | None,
    "image": dict,
}
"""What is remembered of a file: key -> kind of value."""

_OF_IMAGE = {"extension", "mask_extension", "no_data_bits", "bad_bits"}

_SAME_GRID = 0.1
"""Pixels by which the corners of a tile's bands may differ."""

_SAME_SCALE = 0.01
"""Fraction by which a tile's pixels may differ from the survey's and count as the same."""


@dataclass(frozen=True)
class BandImage:
    """Where one band of a tile lies: file, extension, plane of a cube, and the mask beside it.

    Attributes
    ----------
    path : str
        File name in the folder of tiles.
    extension : int
    plane : int or None
        Which plane, if the extension is a cube.
    nanomaggies : float
        What one count stands for, per pixel of the survey (which the tile's own may not be).
    mask_extension : int or None
        Extension with the survey's bit mask.
    no_data_bits, bad_bits : int
        Bits of the mask that mean "nothing was observed" and "do not trust".
    """

    path: str
    extension: int
    plane: int | None
    nanomaggies: float
    mask_extension: int | None = None
    no_data_bits: int = 0
    bad_bits: int = 0


@dataclass(frozen=True)
class Tile:
    """One tile: a name, a footprint and an image a band.

    Attributes
    ----------
    width, height : int
        Pixels.
    wcs_header : str
        The celestial WCS as FITS cards.
    """

    name: str
    survey: str
    width: int
    height: int
    wcs_header: str
    images: dict[str, BandImage] = field(default_factory=dict)

    def wcs(self) -> WCS:
        """Return a new WCS: astropy's are not safe to share between threads."""
        return WCS(fits.Header.fromstring(self.wcs_header), naxis=2)


class TileIndex:
    """The tiles of a folder, and the way from a position to its tile.

    Its `fingerprint` stands for the names, sizes and times of change of the folder's images.
    """

    def __init__(self, folder: TileFolder, tiles: list[Tile], fingerprint: str):
        self.folder = folder
        self.tiles = tiles
        self.fingerprint = fingerprint
        centres, radii = zip(*(_circle(tile) for tile in tiles), strict=True)
        self._tree = cKDTree(np.array(centres))
        self._reach = 2 * np.sin(max(radii) / 2) * 1.001

    @classmethod
    def of_folder(cls, folder: Path | str, survey: str | None = None) -> "TileIndex":
        """Index a folder, a path or a URL, reading only files that changed since the last time.

        The index is kept beside the tiles, or in the user's cache where that is not writable.

        Raises
        ------
        InputError
            If the folder holds no tiles, tiles of several surveys and none is named, a tile that
            is truncated or not readable, two images of one band of a tile, or bands of a tile
            that do not lie on the same pixels.
        """
        folder = open_folder(folder)
        entries = _scan(folder)
        try:
            return cls(folder, _group(folder, entries, survey), _fingerprint(entries))
        except UNREADABLE as error:
            raise InputError(
                f"{folder}: what {INDEX_NAME} remembers of its tiles is wrong; remove that file"
            ) from error

    def locate(self, positions: np.ndarray) -> np.ndarray:
        """Find the tile of each position: where several overlap, the one it lies deepest in.

        Parameters
        ----------
        positions : array of float64, shape (N, 2)
            Degrees.

        Returns
        -------
        array of int32, shape (N,)
            Index into `tiles`, -1 for none.
        """
        near = self._near(positions)
        best = np.full(len(positions), -1, np.int32)
        depth = np.zeros(len(positions))
        for number in np.unique(near[near >= 0]):
            rows = np.flatnonzero((near == number).any(axis=1))
            inside = _distance_to_edge(self.tiles[number], positions[rows])
            deeper = inside > depth[rows]
            best[rows[deeper]] = number
            depth[rows[deeper]] = inside[deeper]
        return best

    def _near(self, positions) -> np.ndarray:
        """Pick the tiles whose circles may hold each position, padded with -1; shape (N, k)."""
        count = min(_NEAREST_TILES, len(self.tiles))
        _, near = self._tree.query(
            unit_vectors(positions), k=count, distance_upper_bound=self._reach
        )
        near = np.atleast_1d(near).reshape(len(positions), count)
        return np.where(near == len(self.tiles), -1, near)


def _circle(tile: Tile) -> tuple[np.ndarray, float]:
    """Centre (unit vector) and radius (radians) of a circle around the tile."""
    vectors = unit_vectors(_outline(tile.wcs(), tile.width, tile.height))
    cosines = vectors[1:] @ vectors[0]
    return vectors[0], float(np.arccos(np.clip(cosines, -1, 1)).max())


def _outline(wcs: WCS, width: int, height: int) -> np.ndarray:
    """Return where the centre and the four corners of an image lie on the sky; (5, 2) degrees."""
    x = np.array([width / 2, 0, width, 0, width]) - 0.5
    y = np.array([height / 2, 0, 0, height, height]) - 0.5
    return np.stack(wcs.all_pix2world(x, y, 0), axis=-1)


def _distance_to_edge(tile: Tile, positions: np.ndarray) -> np.ndarray:
    """Pixels from each position to the nearest edge, negative outside."""
    x, y = tile.wcs().all_world2pix(positions[:, 0], positions[:, 1], 0, quiet=True)
    distance = np.minimum.reduce([x + 0.5, tile.width - 0.5 - x, y + 0.5, tile.height - 0.5 - y])
    return np.where(np.isfinite(distance), distance, -1.0)


def _scan(folder: TileFolder) -> dict[str, dict]:
    """Describe every image file of a folder, by file name, using what is remembered."""
    names = sorted(
        name
        for name in folder.names()
        if name.endswith((".fits", ".fits.fz", ".fit")) and not _NOT_IMAGES.search(name)
    )
    if not names:
        raise InputError(f"{folder}: no tiles (files named *.fits or *.fits.fz) in this folder")
    beside = folder.beside(INDEX_NAME)
    places = (_cache_path(folder),) if beside is None else (beside, _cache_path(folder))
    remembered = _remembered(places)
    stamps = folder.stamps(names)
    known = {
        name: entry for name, entry in remembered.items() if entry["stamp"] == stamps.get(name)
    }
    changed = [name for name in names if name not in known]
    with warnings.catch_warnings(action="ignore"):
        read = folder.each(lambda name: _read(folder, name, stamps[name]), changed)
    known |= dict(zip(changed, read, strict=True))
    entries = {name: known[name] for name in names}
    if entries != remembered:
        _remember(places, entries)
    return entries


def _cache_path(folder: TileFolder) -> Path:
    digest = hashlib.sha256(folder.identity().encode()).hexdigest()[:16]
    return cache_folder() / f"tiles-{digest}.json"


def _remembered(places) -> dict[str, dict]:
    """Read the index from the first place that has a readable one of this version."""
    for place in places:
        try:
            content = json.loads(place.read_text())
            if content["version"] == _VERSION:
                files = content["files"].items()
                return {name: entry for name, entry in files if _is_entry(entry)}
        except UNREADABLE:
            continue
    return {}


def _is_entry(entry) -> bool:
    """Tell whether this is what `_read` returns: the index may be damaged, or somebody else's."""
    if not isinstance(entry, dict) or entry.keys() != _ENTRY.keys():
        return False
    kinds = all(isinstance(entry[key], kind) for key, kind in _ENTRY.items())
    return (
        kinds
        and set(entry["bands"]) <= set(_BANDS)
        and all(type(pixels) is int and 0 < pixels < _MOST_PIXELS for pixels in entry["shape"])
        and entry["image"].keys() <= _OF_IMAGE
        and all(type(number) is int for number in entry["image"].values())
    )


def _remember(places, entries):
    """Write the index to the first place that takes it; do without where none does."""
    text = json.dumps({"version": _VERSION, "files": entries})
    for place in places:
        partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text)
            os.replace(partial, place)
            return
        except OSError:
            with suppress(OSError):
                partial.unlink()


def _fingerprint(entries: dict[str, dict]) -> str:
    stamps = sorted((name, entry["stamp"]) for name, entry in entries.items())
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()


def _read(folder: TileFolder, name: str, stamp: list) -> dict:
    """Describe the image in one file; refuse it by name if it is damaged."""
    try:
        with folder.opened(name) as file, _checked(file) as hdus:
            number, image = _image_extension(hdus)
            _check_whole(hdus, size=stamp[0])
            header = image.header
            survey, tile, band = _identify(name)
            height, width = image.shape[-2:]
            wcs = _north_up(WCS(header, naxis=2))
            described = {
                "stamp": stamp,
                "survey": survey,
                "tile": tile,
                "bands": _bands_of(header, band),
                "cube": len(image.shape) == 3,
                "shape": [height, width],
                "wcs": wcs.to_header_string(),
                "outline": _outline(wcs, width, height).tolist(),
                "pixel_scale": 3600 * float(np.sqrt(proj_plane_pixel_area(wcs))),
                "from_viewer": "BAND0" in header,
                "zero_point": _zero_point(header),
                "image": _describe_image(hdus, number),
            }
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        where = folder.where(name)
        raise InputError(
            f"{where}: not a readable image ({reason}); repair or remove it"
        ) from error
    return described


def _checked(file) -> fits.HDUList:
    """Open a FITS file after a look at its headers."""
    check_headers(file)
    return fits.open(file, memmap=True)


def _image_extension(hdus):
    for number, hdu in enumerate(hdus):
        if hdu.is_image and len(hdu.shape) in (2, 3):
            return number, hdu
    raise ValueError("no image extension")


def _check_whole(hdus, size: int):
    """Compare the size that the headers promise with the size of the file."""
    info = hdus[-1].fileinfo()
    data_end = info["datLoc"] + info["datSpan"]
    if size < data_end:
        raise ValueError(f"truncated: {size} of {data_end} bytes")


def _identify(name: str) -> tuple[str, str, str]:
    """Survey, tile and band ("" if the name does not tell) from a file name."""
    for survey, pattern in _FILE_NAMES:
        if match := pattern.fullmatch(name):
            return survey, match["tile"], match["band"].lower()
    return "decals", name, ""


def _bands_of(header, band: str) -> list[str]:
    """Bands of the planes: from the file name, or from BANDS, BAND or FILTER in the header."""
    bands = [band] if band else list(str(header.get("BANDS", header.get("BAND", ""))).strip())
    bands = bands or [str(header.get("FILTER", "")).strip()[:1]]
    planes = header["NAXIS3"] if header["NAXIS"] == 3 else 1
    if len(bands) != planes or not set(bands) <= set(_BANDS):
        raise ValueError("neither its name nor BANDS in its header says which band it is")
    return bands


def _north_up(wcs: WCS) -> WCS:
    """Refuse images that are not within 20 degrees of north up."""
    matrix = wcs.pixel_scale_matrix
    tilt = np.degrees(np.arctan2(abs(matrix[0, 1]) + abs(matrix[1, 0]), 2 * abs(matrix[1, 1])))
    if not wcs.has_celestial or tilt > 20:
        raise ValueError(f"not a coadd with north up (turned by {tilt:.0f} degrees)")
    return wcs


def _describe_image(hdus, number) -> dict:
    """Extensions of an image and of its mask, and the mask's bits in the survey's conventions."""
    described = {"extension": number}
    for mask_number, hdu in enumerate(hdus):
        if mask_number == number or not hdu.is_image or hdu.shape != hdus[number].shape:
            continue
        if hdu.name in ("MSK", "MASK") or "MP_NO_DATA" in hdu.header:
            described["mask_extension"] = mask_number
            described["no_data_bits"], described["bad_bits"] = _mask_bits(hdu.header)
            break
    return described


def _mask_bits(header) -> tuple[int, int]:
    """Bits for "no data" and "bad": named in HSC's headers, any bit in DES's."""
    if "MP_NO_DATA" not in header:
        return 0, -1
    named = [header[f"MP_{name}"] for name in ("BAD", "SAT") if f"MP_{name}" in header]
    return 1 << header["MP_NO_DATA"], sum(1 << bit for bit in named)


def _zero_point(header) -> float | None:
    """AB magnitude of one count, None where the header does not tell."""
    if "MAGZERO" in header:
        return float(header["MAGZERO"])
    if "FLUXMAG0" in header:
        return float(2.5 * np.log10(header["FLUXMAG0"]))
    return None


def _nanomaggies(entry: dict, survey: Survey) -> float:
    """Nanomaggies, per pixel of the survey, of one count.

    Fluxes per pixel grow with the pixel's area, and the colours are made for the survey's. The
    viewer's FITS cutouts hold nanomaggies per pixel of the survey whatever their own scale.
    """
    zero_point = survey.zero_point if entry["zero_point"] is None else entry["zero_point"]
    nanomaggies = 10 ** (-0.4 * (zero_point - NANOMAGGIE_ZERO_POINT))
    ratio = survey.pixel_scale / entry["pixel_scale"]
    if entry["from_viewer"] or abs(ratio - 1) <= _SAME_SCALE:
        return nanomaggies
    return nanomaggies * ratio**2


def _group(folder, entries, survey) -> list[Tile]:
    """Join the bands of each tile."""
    surveys = sorted({entry["survey"] for entry in entries.values()})
    if survey is None and len(surveys) > 1:
        raise InputError(
            f"{folder}: tiles of several surveys ({', '.join(surveys)}); put each in a folder"
        )
    chosen = survey_named(survey or surveys[0])
    tiles: dict[str, Tile] = {}
    first: dict[str, dict] = {}
    for name, entry in entries.items():
        height, width = entry["shape"]
        tile = tiles.setdefault(
            entry["tile"], Tile(entry["tile"], chosen.name, width, height, entry["wcs"])
        )
        for band in set(entry["bands"]) & set(tile.images):
            raise InputError(
                f"{folder.where(tile.images[band].path)} and {name}: both are band {band} of tile "
                f"{tile.name}; keep one of them"
            )
        _check_grid(folder.where(name), entry, first.setdefault(entry["tile"], entry))
        for plane, band in enumerate(entry["bands"]):
            tile.images[band] = BandImage(
                name,
                plane=plane if entry["cube"] else None,
                nanomaggies=_nanomaggies(entry, chosen),
                **entry["image"],
            )
    return list(tiles.values())


def _check_grid(path: str, entry: dict, other: dict):
    """Refuse an image whose pixels are not those of another band of its tile."""
    if entry["shape"] != other["shape"]:
        raise InputError(f"{path}: another shape than the tile's other bands; remove it")
    ours, theirs = (unit_vectors(np.array(each["outline"])) for each in (entry, other))
    offset = np.degrees(np.linalg.norm(ours - theirs, axis=1).max()) * 3600 / other["pixel_scale"]
    if offset > _SAME_GRID:
        raise InputError(
            f"{path}: lies {offset:.1f} pixels off the tile's other bands; resample or remove it"
        )
