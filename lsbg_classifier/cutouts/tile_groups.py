"""Tiles: the science images of one place, a band each, with their weights and masks."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from scipy.spatial import cKDTree

from catalogs.errors import InputError
from catalogs.positions import unit_vectors
from lsbg_classifier.cutouts.flux_scale import zero_point_to_nanomaggies
from lsbg_classifier.cutouts.geometry import SkyGrid
from lsbg_classifier.cutouts.image_kinds import Kind
from lsbg_classifier.cutouts.layouts import Layout
from lsbg_classifier.cutouts.sides import Side
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_scan import Scan
from lsbg_classifier.surveys import SURVEYS, Survey

_SAME_GRID = 0.1
"""Pixels by which the corners of a tile's bands may differ and count as the same pixels."""

_SAME_PLACE = 1.5
"""Pixels by which the corners of two images of the same place may differ, of which one is too many
if they have the same band."""

_LIKE_PLACE = 0.1
"""Fraction of an image's side by which the corners of bands that belong together may differ."""

_SAME_SCALE = 0.004
"""Fraction by which an image's pixels may differ from the survey's and count as the same."""

_MOST_SCALE = 3.0
"""Factor by which they may differ at all."""


@dataclass(frozen=True)
class BandImage:
    """One band of a tile, as it is read.

    Attributes
    ----------
    path : str
        File in the folder of tiles.
    extension : int
    plane : int or None
        Which plane, if the extension is a cube.
    nanomaggies : float
        What one count stands for, per pixel of the survey (which the tile's own may not be).
    grid : SkyGrid
    asinh : tuple of float, or None
        BOFFSET and BSOFTEN where pixels hold inverse hyperbolic sines.
    is_integer : bool
    blank : float or None
        A value that stands for "no data".
    weight, mask : Side or None
    """

    path: str
    extension: int
    plane: int | None
    nanomaggies: float
    grid: SkyGrid
    asinh: tuple[float, float] | None = None
    is_integer: bool = False
    blank: float | None = None
    weight: Side | None = None
    mask: Side | None = None


@dataclass(frozen=True)
class Tile:
    """One tile: a name, and an image a band.

    Attributes
    ----------
    name : str
    layout : Layout
    science : dict of str to ScienceImage
        What the files hold, by band.
    images : dict of str to BandImage
        The same, as it is read for one survey.
    """

    name: str
    layout: Layout
    science: dict[str, ScienceImage] = field(default_factory=dict)
    images: dict[str, BandImage] = field(default_factory=dict)

    @property
    def grids(self) -> list[SkyGrid]:
        """The pixel grids of the bands, each once."""
        return list(dict.fromkeys(image.grid for image in self.images.values()))


def group_tiles(scan: Scan) -> list[Tile]:
    """Join the bands of each tile: by name, and by place where names do not tell.

    Raises
    ------
    InputError
        If there are two science images of one place and band, or the bands of a tile show
        different places.
    """
    tiles: dict[str, Tile] = {}
    for path, images in scan.images.items():
        for image in images:
            _add(scan, tiles, path, image)
    joined = _join_by_place(scan, list(tiles.values()))
    sides = defaultdict(list)
    for side in scan.sides:
        sides[scan.names[side.path].tile].append(side)
    for tile in joined:
        _check_overlap(scan, tile)
        _share_grids(tile)
        _add_sides(scan, tile, sides)
    _add_lone_sides(scan, joined)
    return joined


_IN_NO_COLOUR = "uy"
"""Bands that no cutout is made of: which of two images is meant does not matter."""


def _add(scan: Scan, tiles: dict[str, Tile], path: str, image: ScienceImage):
    """Add an image to the tile of its name; one of another place makes a tile of its own."""
    name = scan.names[path]
    tile = tiles.setdefault(name.tile, Tile(name.tile, name.layout))
    other = tile.science.get(image.band)
    if other is None:
        tile.science[image.band] = image
    elif not _is_same_place(image, other):
        own_name = f"{name.tile} {image.where}"
        tiles[own_name] = Tile(own_name, name.layout, {image.band: image})
    elif chosen := _better(scan, image, other):
        tile.science[image.band] = chosen
    elif image.band not in _IN_NO_COLOUR:
        raise _too_many(scan, other, image)


def _better(scan: Scan, one: ScienceImage, other: ScienceImage) -> ScienceImage | None:
    """Return which of two images of one place and band is meant; None if both may be."""
    doubtful = [scan.names[image.path].kind == Kind.UNSURE for image in (one, other)]
    if doubtful[0] == doubtful[1]:
        return None
    chosen, other_image = (other, one) if doubtful[0] else (one, other)
    word = scan.names[other_image.path].word
    scan.passed_over[other_image.path] = (
        f"another image of its place without {word!r} in its name is used"
    )
    return chosen


def _too_many(scan: Scan, one: ScienceImage, other: ScienceImage) -> InputError:
    first, second = (scan.folder.where(image.where) for image in (one, other))
    return InputError(
        f"{first} and {second}: both are images of band {one.band} of the same place; keep one of "
        "them, or say with --tiles which files are the images"
    )


def _is_same_place(one: ScienceImage, other: ScienceImage, fraction: float = 0.0) -> bool:
    """Tell whether the corners of two images agree, or differ by a fraction of their side."""
    ours, theirs = (unit_vectors(np.array(image.outline)) for image in (one, other))
    sides = [max(i.shape) * i.pixel_scale for i in (one, other)]
    allowed = max(fraction * min(sides), _SAME_PLACE * max(i.pixel_scale for i in (one, other)))
    distances = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    apart = max(distances.min(axis=0).max(), distances.min(axis=1).max())
    return bool(np.degrees(apart) * 3600 <= allowed)


def _join_by_place(scan: Scan, tiles: list[Tile]) -> list[Tile]:
    """Join tiles of the same place, whatever their names; two of one band are too many."""
    centres = unit_vectors(np.array([_first(tile).outline[0] for tile in tiles]))
    reach = max(_LIKE_PLACE * max(_first(t).shape) * _first(t).pixel_scale for t in tiles)
    tree, joined = cKDTree(centres), dict(enumerate(tiles))
    for number, other in sorted(tree.query_pairs(np.radians(reach / 3600))):
        if number in joined and other in joined:
            merged = _join(scan, joined[number], joined[other])
            if merged is not None:
                joined[number] = merged
                del joined[other]
    return list(joined.values())


def _first(tile: Tile) -> ScienceImage:
    return next(iter(tile.science.values()))


def _join(scan: Scan, one: Tile, other: Tile) -> Tile | None:
    """Join two tiles; None if they are of different places, or overlap only."""
    common = set(one.science) & set(other.science)
    if not common:
        same = _is_same_place(_first(one), _first(other), _LIKE_PLACE)
        return replace(one, science=one.science | other.science) if same else None
    science = one.science | other.science
    for band in sorted(common):
        first, second = one.science[band], other.science[band]
        if not _is_same_place(first, second):
            return None
        chosen = _better(scan, first, second)
        if chosen is None:
            raise _too_many(scan, first, second)
        science[band] = chosen
    return replace(one, science=science)


def _check_overlap(scan: Scan, tile: Tile):
    """Refuse bands of one name that show different places."""
    first, *others = tile.science.values()
    radius = {i.path: max(i.shape) * i.pixel_scale for i in (first, *others)}
    for other in others:
        ours, theirs = (unit_vectors(np.array(i.outline[:1])) for i in (first, other))
        apart = 3600 * float(np.degrees(np.linalg.norm(ours - theirs)))
        if apart > (radius[first.path] + radius[other.path]) / 2:
            raise InputError(
                f"{scan.folder.where(first.where)} and {scan.folder.where(other.where)}: named as "
                f"bands of tile {tile.name}, but they show places {apart / 60:.1f} arcmin apart; "
                "say with --tiles how the files are named"
            )


def _share_grids(tile: Tile):
    """Give bands that lie on the same pixels the same grid, to 0.1 pixels."""
    shared: list[ScienceImage] = []
    for band, image in tile.science.items():
        same = next((each for each in shared if _are_same_pixels(image, each)), None)
        if same is None:
            shared.append(image)
        else:
            tile.science[band] = replace(image, grid=same.grid)


def _are_same_pixels(one: ScienceImage, other: ScienceImage) -> bool:
    if one.shape != other.shape:
        return False
    ours, theirs = (unit_vectors(np.array(image.outline)) for image in (one, other))
    offset = np.degrees(np.linalg.norm(ours - theirs, axis=1).max()) * 3600 / other.pixel_scale
    return bool(offset <= _SAME_GRID)


def _add_sides(scan: Scan, tile: Tile, sides: dict[str, list[Side]]):
    """Give images the weights and masks that lie in files of their own."""
    for band, image in tile.science.items():
        beside = sides[scan.names[image.path].tile]
        for kind in (Kind.WEIGHT, Kind.MASK):
            fitting = [side for side in beside if side.kind == kind and side.is_for(image)]
            if getattr(image, kind.value) is None and fitting:
                image = _with_side(image, max(fitting, key=partial(_likeness, image)))
        tile.science[band] = image


def _likeness(image: ScienceImage, side: Side) -> tuple[bool, bool]:
    """Tell how much a weight or mask has in common with an image, of those that may be its own."""
    return side.band != "", side.extension == image.extension


def _add_lone_sides(scan: Scan, tiles: list[Tile]):
    """Give images the weights and masks of other names where only one image can be meant.

    That is so where an image and a weight or mask are the only ones of their band in a folder, and
    of the same shape. What belongs to no image is passed over.
    """
    images, lone = defaultdict(list), defaultdict(list)
    for tile in tiles:
        for image in tile.science.values():
            images[_place_of(image)].append(tile)
    used = {
        side.path
        for tile in tiles
        for image in tile.science.values()
        for side in (image.weight, image.mask)
        if side
    }
    for side in scan.sides:
        if side.path not in used:
            lone[_place_of(side), side.kind].append(side)
    for (place, kind), sides in lone.items():
        if len(images[place]) == len(sides) == 1:
            science, band = images[place][0].science, place[1]
            if getattr(science[band], kind.value) is None and sides[0].is_for(science[band]):
                science[band] = _with_side(science[band], sides[0])
                continue
        reason = f"a {kind} of no image: of another size or name, or the image has its own"
        scan.passed_over |= {side.path: reason for side in sides}


def _with_side(image: ScienceImage, side: Side) -> ScienceImage:
    """Give an image a weight or a mask."""
    is_weight = side.kind == Kind.WEIGHT
    return replace(image, weight=side) if is_weight else replace(image, mask=side)


def _place_of(image: ScienceImage | Side) -> tuple[str, str]:
    """Return the folder that an image lies in, and its band."""
    return str(PurePosixPath(image.path).parent), image.band


def images_for(scan: Scan, tile: Tile, survey: Survey) -> dict[str, BandImage]:
    """Return the images of a tile as they are read for a survey's colours.

    Parameters
    ----------
    scan : Scan
        The folder that the tile is in.
    tile : Tile
    survey : Survey
        Whose colours are made.

    Returns
    -------
    dict of str to BandImage
        By band.

    Raises
    ------
    InputError
        If pixels are more than three times larger or smaller than the survey's.
    """
    images = {}
    for band, image in tile.science.items():
        factor = image.pixel_scale / survey.pixel_scale
        if not 1 / _MOST_SCALE <= factor <= _MOST_SCALE:
            raise InputError(
                f"{scan.folder.where(image.where)}: pixels of {image.pixel_scale:.3g} arcsec, but "
                f"those of {survey.title} have {survey.pixel_scale:g}; name the right survey with "
                "--survey, or resample the image"
            )
        images[band] = BandImage(
            image.path,
            image.extension,
            image.plane,
            counts_to_nanomaggies(image, tile.layout, survey),
            image.grid,
            image.scale.asinh,
            image.is_integer,
            image.blank,
            image.weight,
            image.mask,
        )
    return images


def supposed_zero_point(layout: Layout, survey: Survey) -> float:
    """Return the zero point of images that say none: that of the survey that took them.

    Parameters
    ----------
    layout : Layout
        The survey that their names tell.
    survey : Survey
        Whose colours are made. One that a file of the user's describes is believed before names.

    Returns
    -------
    float
        AB magnitude of one count.
    """
    if layout.zero_point is not None and survey.name in SURVEYS:
        return layout.zero_point
    return survey.zero_point


def counts_to_nanomaggies(image: ScienceImage, layout: Layout, survey: Survey) -> float:
    """Return the nanomaggies, per pixel of the survey, of one count.

    Fluxes per pixel grow with the pixel's area, and the colours are made for the survey's. The
    viewer's FITS cutouts hold nanomaggies per pixel of the survey whatever their own scale.

    Parameters
    ----------
    image : ScienceImage
    layout : Layout
    survey : Survey
        As for `supposed_zero_point`.

    Returns
    -------
    float
    """
    nanomaggies = image.scale.nanomaggies
    if nanomaggies is None:
        nanomaggies = zero_point_to_nanomaggies(supposed_zero_point(layout, survey))
    ratio = survey.pixel_scale / image.pixel_scale
    if image.scale.per_native_pixel or abs(ratio - 1) <= _SAME_SCALE:
        return nanomaggies
    return nanomaggies * ratio**2
