"""Flux scales with which the noise of the sky would be like that of no survey."""

import math
from collections.abc import Iterable, Iterator

from catalogs.errors import InputError
from lsbg_classifier.cutouts.sky_noise import measure_level
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_folder import RemoteFolder
from lsbg_classifier.cutouts.tile_groups import Tile, counts_to_nanomaggies, supposed_zero_point
from lsbg_classifier.cutouts.tile_index import TileIndex

_PLAUSIBLE_NOISE = (3e-5, 3.0)
"""Noise of the sky of surveys, in nanomaggies a pixel, with room to both sides."""

_ABSURD = 1000.0
"""Factor beyond these limits from which a flux scale is refused."""

_HIGH_SKY, _TIMES_NOISE = 0.05, 3.0
"""Level of the sky, in nanomaggies a square arcsecond and in the noise of a pixel, from which it
was hardly subtracted: galaxies outshine neither in all corners of an image."""

_LEVEL_TILES = 3
"""Tiles of which the level of the sky is looked at."""

_MOST_MEASURED = 10
"""Images of which one is looked for that has noise; and kinds of statements that are looked at."""

Images = list[tuple[Tile, ScienceImage]]


def images_of(index: TileIndex, bands: Iterable[str]) -> Iterator[tuple[Tile, ScienceImage]]:
    """Give the images of some bands, each with its tile.

    Parameters
    ----------
    index : TileIndex
    bands : iterable of str

    Yields
    ------
    Tile, ScienceImage
    """
    for tile in index.tiles:
        for band in bands:
            if band in tile.science:
                yield tile, tile.science[band]


def images_without_scale(index: TileIndex, bands: Iterable[str]) -> dict[tuple[str, float], Images]:
    """Return the images whose files do not say their flux scale.

    Parameters
    ----------
    index : TileIndex
    bands : iterable of str

    Returns
    -------
    dict of (str, float) to list of (Tile, ScienceImage)
        By the title of the survey whose zero point is supposed, and that zero point.
    """
    silent: dict[tuple[str, float], Images] = {}
    for tile, image in images_of(index, bands):
        if image.scale.nanomaggies is None:
            zero_point = supposed_zero_point(tile.layout, index.survey)
            is_named = zero_point != index.survey.zero_point
            title = tile.layout.title if is_named else index.survey.title
            silent.setdefault((title, zero_point), []).append((tile, image))
    return silent


def images_by_scale(index: TileIndex, bands: Iterable[str]) -> list[Images]:
    """Return the images whose files state their flux scale, those of about the same together.

    Parameters
    ----------
    index : TileIndex
    bands : iterable of str

    Returns
    -------
    list of list of (Tile, ScienceImage)
        The ten rarest statements, the rarest first: what stands alone is the likeliest to be wrong.
    """
    alike: dict[tuple[str, int], Images] = {}
    for tile, image in images_of(index, bands):
        if image.scale.nanomaggies is not None:
            magnitude = round(math.log10(image.scale.nanomaggies))
            alike.setdefault((image.scale.source.split()[0], magnitude), []).append((tile, image))
    return sorted(alike.values(), key=len)[:_MOST_MEASURED]


def doubt_of(index: TileIndex, images: Images) -> str:
    """Say that the flux scale of some images is not plausible: no survey's sky is like that.

    Parameters
    ----------
    index : TileIndex
    images : list of (Tile, ScienceImage)
        Of about the same flux scale.

    Returns
    -------
    str
        Follows another sentence; "" if there is no doubt.
    """
    noise, least, most = _first_noise(index, images), *_PLAUSIBLE_NOISE
    if noise is None or least <= noise <= most:
        return ""
    return (
        f". That is hardly right: the noise of its sky would be {noise:.1g} nanomaggies a pixel, "
        f"{'less' if noise < least else 'more'} than any survey's, and cutouts "
        f"nearly {'black' if noise < least else 'white'}; write MAGZERO or BUNIT "
        "into the headers, or give the zero point in a .toml file for --survey"
    )


def find_high_skies(index: TileIndex, bands: Iterable[str]) -> list[str]:
    """Say that the sky of some images is not subtracted: their cutouts would be too bright.

    The first tiles are looked at. Of remote folders nothing is fetched for that.

    Parameters
    ----------
    index : TileIndex
    bands : iterable of str
        The bands that are used.

    Returns
    -------
    list of str
        A sentence with the first of them; nothing if there is none.
    """
    if isinstance(index.folder, RemoteFolder):
        return []
    bright = []
    for tile in index.tiles[:_LEVEL_TILES]:
        for image in (tile.science[band] for band in bands if band in tile.science):
            flux = counts_to_nanomaggies(image, tile.layout, index.survey)
            least = _HIGH_SKY * index.survey.pixel_scale**2 / flux
            level = measure_level(index.folder, image)
            if level is None or level <= least:
                continue
            if level > _TIMES_NOISE * (index.noise_of(image) or 0.0):
                bright.append((image.path, level * flux))
    if not bright:
        return []
    (path, level), more = bright[0], len(bright) - 1
    return [
        f"the sky of {path}{f' and of {more} more' if more else ''} is hardly subtracted: its "
        f"level would be {level:.2g} nanomaggies a pixel, and cutouts too bright; subtract the "
        "background"
    ]


def refuse_absurd_scales(index: TileIndex, bands: tuple[str, ...]):
    """Refuse flux scales with which the sky would be like that of no survey.

    Only absurd ones are refused; a doubt is said, see `doubt_of`. Of remote folders nothing is
    fetched for that: a doubt is only said.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that are used.

    Raises
    ------
    InputError
        With the noise of the sky that would follow.
    """
    if isinstance(index.folder, RemoteFolder):
        return
    least, most = _PLAUSIBLE_NOISE
    for images in [*images_by_scale(index, bands), *images_without_scale(index, bands).values()]:
        noise, (tile, image) = _first_noise(index, images), images[0]
        if noise is None or least / _ABSURD <= noise <= most * _ABSURD:
            continue
        stated = image.scale.source or (
            "it says neither unit nor zero point, and that of its survey, "
            f"{supposed_zero_point(tile.layout, index.survey):g},"
        )
        raise InputError(
            f"{index.folder.where(image.path)}: {stated} cannot be right: the noise of the sky "
            f"would be {noise:.1g} nanomaggies a pixel, and cutouts "
            f"{'black' if noise < least else 'white'}; write the right MAGZERO or BUNIT into the "
            "headers, or give the zero point in a .toml file for --survey"
        )


def _first_noise(index: TileIndex, images: Images) -> float | None:
    """Return the noise, in nanomaggies a pixel, of the first of some images that has noise."""
    measured = (
        noise * counts_to_nanomaggies(image, tile.layout, index.survey)
        for tile, image in images[:_MOST_MEASURED]
        if (noise := index.noise_of(image)) is not None
    )
    return next(measured, None)
