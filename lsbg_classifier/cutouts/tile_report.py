"""What a folder of images holds and what is supposed of it, in plain sentences."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.cutouts.image_kinds import BANDS, Kind
from lsbg_classifier.cutouts.no_data import lowest_count
from lsbg_classifier.cutouts.sections import ImageFile, UnreadableImageError, read_section
from lsbg_classifier.cutouts.strips import DamagedTileError
from lsbg_classifier.cutouts.tile_files import ScienceImage
from lsbg_classifier.cutouts.tile_folder import RemoteFolder
from lsbg_classifier.cutouts.tile_groups import Tile, counts_to_nanomaggies, supposed_zero_point
from lsbg_classifier.cutouts.tile_index import TileIndex

_SOME_PIXELS = 64
"""Rows and columns of an image that its noise is measured in."""

_PLAUSIBLE_NOISE = (3e-5, 3.0)
"""Noise of the sky of surveys, in nanomaggies a pixel, with room to both sides."""

_ABSURD = 1000.0
"""Factor beyond these limits from which what a file says of its scale is refused."""

_MOST_MEASURED = 10
"""Images of which one is looked for that has noise."""

_MEDIAN_TO_SIGMA = 1.4826 / np.sqrt(2)
"""Median absolute difference of two neighbouring pixels to the standard deviation of one."""


def _several(count: int, noun: str) -> str:
    """Return a number and a noun: ``1 tile`` or ``3 tiles``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def describe_bands(tiles: list[Tile]) -> str:
    """Say how many tiles have which bands: ``3 tiles have g, r; 1 tile has z``."""
    counts = Counter(tuple(band for band in BANDS if band in tile.images) for tile in tiles)
    return "; ".join(
        f"{_several(count, 'tile')} {'has' if count == 1 else 'have'} {', '.join(bands)}"
        for bands, count in counts.most_common()
    )


def describe_assumptions(
    index: TileIndex, bands: tuple[str, ...], *, has_survey: bool
) -> list[str]:
    """Say what is supposed of images because no file says it.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that are used.
    has_survey : bool
        Whether the user has named the survey.

    Returns
    -------
    list of str
        Plain sentences.
    """
    return [
        *_assumed_survey(index, has_survey),
        *_assumed_zero_points(index, bands),
        *_doubtful_statements(index, bands),
        *_converted_pixels(index, bands),
        *_passed_over_bands(index, bands),
    ]


def _images(index: TileIndex, bands: Iterable[str]) -> Iterator[tuple[Tile, ScienceImage]]:
    for tile in index.tiles:
        for band in bands:
            if band in tile.science:
                yield tile, tile.science[band]


def _assumed_survey(index: TileIndex, has_survey: bool) -> list[str]:
    layouts = {tile.layout.name: tile.layout for tile in index.tiles}
    if has_survey or all(layout.has_own_colours for layout in layouts.values()):
        return []
    titles = ", ".join(layout.title for layout in layouts.values())
    return [
        f"the images ({titles}) get the colours and the scale of {index.survey.title}; "
        "--survey names others"
    ]


def _assumed_zero_points(index: TileIndex, bands) -> list[str]:
    """Say which zero points no file says, and whether they are plausible."""
    silent: dict[tuple[str, float], list[tuple[Tile, ScienceImage]]] = {}
    for tile, image in _images(index, bands):
        if image.scale.nanomaggies is None:
            zero_point = supposed_zero_point(tile.layout, index.survey)
            is_named = zero_point != index.survey.zero_point
            title = tile.layout.title if is_named else index.survey.title
            silent.setdefault((title, zero_point), []).append((tile, image))
    lines = []
    for (title, zero_point), images in silent.items():
        _, image = images[0]
        several = len({each.path for _, each in images})
        files = f"{_several(several, 'file')} {'says' if several == 1 else 'say'}"
        lines.append(
            f"{files} neither unit nor zero point of the pixels, such as {image.path}: the zero "
            f"point of {title}, {zero_point:g}, is supposed{_unread(image)}{_doubt(index, images)}"
        )
    return lines


def _unread(image: ScienceImage) -> str:
    """Say which keyword of an image may be a zero point, but in no way that is known for sure."""
    if not image.scale.unread:
        return ""
    return (
        f"; its {image.scale.unread} is not used, because it may be of one count a second, or of "
        "Vega: write MAGZERO if it is the AB magnitude of one count"
    )


def _doubt(index: TileIndex, images: list[tuple[Tile, ScienceImage]]) -> str:
    """Say that a flux scale is not plausible: no survey's sky is like that."""
    noise = _first_noise(index, images)
    if noise is None or _PLAUSIBLE_NOISE[0] <= noise <= _PLAUSIBLE_NOISE[1]:
        return ""
    return (
        f". That is hardly right: the noise of its sky would be {noise:.1g} nanomaggies a pixel, "
        f"{'less' if noise < _PLAUSIBLE_NOISE[0] else 'more'} than any survey's, and cutouts "
        f"nearly {'black' if noise < _PLAUSIBLE_NOISE[0] else 'white'}; write MAGZERO or BUNIT "
        "into the headers, or give the zero point in a .toml file for --survey"
    )


def _first_noise(index: TileIndex, images: list[tuple[Tile, ScienceImage]]) -> float | None:
    """Return the noise, in nanomaggies a pixel, of the first of some images that has noise."""
    measured = (
        noise * counts_to_nanomaggies(image, tile.layout, index.survey)
        for tile, image in images[:_MOST_MEASURED]
        if (noise := _noise(index, image)) is not None
    )
    return next(measured, None)


def _doubtful_statements(index: TileIndex, bands) -> list[str]:
    """Name flux scales that files state, and that are not plausible; refuse absurd ones."""
    lines = []
    for images in _by_statement(index, bands)[:_MOST_MEASURED]:
        if doubt := _doubt(index, images[:1]):
            _, image = images[0]
            lines.append(f"{image.path} and {len(images) - 1} more say {image.scale.source}{doubt}")
    return lines


def _by_statement(index: TileIndex, bands) -> list[list[tuple[Tile, ScienceImage]]]:
    """Return the images whose files state their scale, those of about the same scale together."""
    alike: dict[tuple[str, int], list[tuple[Tile, ScienceImage]]] = {}
    for tile, image in _images(index, bands):
        if image.scale.nanomaggies:
            magnitude = round(math.log10(image.scale.nanomaggies))
            alike.setdefault((image.scale.source.split()[0], magnitude), []).append((tile, image))
    return sorted(alike.values(), key=len)


def refuse_absurd_scales(index: TileIndex, bands: tuple[str, ...]):
    """Refuse flux scales with which the sky would be like that of no survey.

    Only absurd ones are refused; a doubt is said, see `describe_assumptions`. Of remote folders
    nothing is fetched for that: a doubt is only said.

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
    silent = [each for each in _images(index, bands) if each[1].scale.nanomaggies is None]
    groups = _by_statement(index, bands)[:_MOST_MEASURED] + ([silent] if silent else [])
    for images in groups:
        noise, (_, image) = _first_noise(index, images), images[0]
        least, most = _PLAUSIBLE_NOISE
        if noise is None or least / _ABSURD <= noise <= most * _ABSURD:
            continue
        stated = image.scale.source or (
            "it says neither unit nor zero point, and that of its survey, "
            f"{supposed_zero_point(images[0][0].layout, index.survey):g},"
        )
        raise InputError(
            f"{index.folder.where(image.path)}: {stated} cannot be right: the noise of the sky "
            f"would be {noise:.1g} nanomaggies a pixel, and cutouts "
            f"{'black' if noise < _PLAUSIBLE_NOISE[0] else 'white'}; write the right MAGZERO or "
            "BUNIT into the headers, or give the zero point in a .toml file for --survey"
        )


def _noise(index: TileIndex, image: ScienceImage) -> float | None:
    """Measure the noise of an image in counts, from differences of neighbours in its middle."""
    rows, columns = (
        slice(max(0, length // 2 - _SOME_PIXELS), length // 2 + _SOME_PIXELS)
        for length in image.shape
    )
    rows = slice(rows.start, min(rows.stop, image.shape[0]))
    columns = slice(columns.start, min(columns.stop, image.shape[1]))
    try:
        with ImageFile(index.folder.file(image.path)) as file:
            opened = file.image(image.extension, image.plane, image.scale.asinh)
            pixels = np.array(read_section(opened, rows, columns), np.float64)
    except (UnreadableImageError, DamagedTileError, OSError):
        return None
    pixels[~(pixels > lowest_count(1.0))] = np.nan
    steps = np.diff(pixels, axis=1)
    steps = steps[np.isfinite(steps)]
    sigma = float(np.median(abs(steps))) * _MEDIAN_TO_SIGMA if steps.size else 0.0
    return sigma if sigma > 0 else None


def _converted_pixels(index: TileIndex, bands) -> list[str]:
    """Say whether pixels are of another size than the survey's."""
    scale = index.survey.pixel_scale
    others = sorted(
        {
            round(image.pixel_scale, 3)
            for _, image in _images(index, bands)
            if abs(image.pixel_scale / scale - 1) > 0.1 and not image.scale.per_native_pixel
        }
    )
    if not others:
        return []
    sizes = f"{others[0]:g}" if len(others) == 1 else f"{others[0]:g} to {others[-1]:g}"
    return [
        f"pixels of {sizes} arcsec are converted to those of {index.survey.title}, {scale:g} arcsec"
    ]


def _passed_over_bands(index: TileIndex, bands) -> list[str]:
    """Say how many tiles lack a band, if some do."""
    lacking = [tile for tile in index.tiles if not set(bands) <= set(tile.images)]
    if not lacking:
        return []
    verb = "lacks" if len(lacking) == 1 else "lack"
    return [
        f"{len(lacking)} of {_several(len(index.tiles), 'tile')} {verb} a band of "
        f"{', '.join(bands)}, such as {lacking[0].name}"
    ]


def report_tiles(index: TileIndex, bands: tuple[str, ...] = ("g", "r", "z")) -> list[str]:
    """Say what a folder of images holds.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that cutouts are made of.

    Returns
    -------
    list of str
        Lines: surveys, tiles, bands, units and zero points, pixels, area, weights and masks, what
        is supposed, what was passed over, and tiles that lack a band.
    """
    tiles = index.tiles
    layouts = Counter(tile.layout.title for tile in tiles)
    names = ", ".join(f"{count} of {title}" for title, count in layouts.most_common())
    return [
        f"folder: {index.folder}",
        f"{_several(len(tiles), 'tile')}: {names}; colours of {index.survey.title}",
        f"bands: {describe_bands(tiles)}",
        *_flux_scales(index),
        *_pixel_scales(index),
        f"area: {_area(index):.4g} square degrees, overlaps counted once",
        *_sides(index),
        *(f"supposed: {line}" for line in describe_assumptions(index, bands, has_survey=True)),
        *index.scan.reasons(most=20),
        *_lacking(index, bands),
        *(f"refused: {line}" for line in index.scan.refused.values()),
    ]


def _flux_scales(index: TileIndex) -> list[str]:
    """Say how each band's flux scale is known, and what one count is."""
    lines = []
    for band in BANDS:
        images = list(_images(index, [band]))
        sources = Counter(
            (
                image.scale.source or "supposed",
                f"{counts_to_nanomaggies(image, tile.layout, index.survey):.4g}",
            )
            for tile, image in images
        )
        lines += [
            f"flux scale in {band}: {source}; one count is {nanomaggies} nanomaggies per pixel of "
            f"{index.survey.title} ({_several(count, 'image')})"
            for (source, nanomaggies), count in sources.most_common(5)
        ]
    return lines


def _pixel_scales(index: TileIndex) -> list[str]:
    scales = Counter(f"{image.pixel_scale:.3f}" for _, image in _images(index, BANDS))
    listed = ", ".join(
        f"{scale} ({_several(count, 'image')})" for scale, count in scales.most_common(5)
    )
    return [f"pixels in arcsec: {listed}"]


def _sides(index: TileIndex) -> list[str]:
    """Say how many images have a weight or a mask."""
    images = [image for _, image in _images(index, BANDS)]
    counts = {
        kind: sum(getattr(image, kind.value) is not None for image in images)
        for kind in (Kind.WEIGHT, Kind.MASK)
    }
    return [
        f"{counts[Kind.WEIGHT]} of {len(images)} images have a weight, {counts[Kind.MASK]} a mask"
    ]


def _lacking(index: TileIndex, bands: tuple[str, ...], most: int = 20) -> list[str]:
    """Name the tiles that lack a band."""
    lacks = {tile.name: [band for band in bands if band not in tile.images] for tile in index.tiles}
    lines = [f"tile {name} lacks {', '.join(left)}" for name, left in lacks.items() if left]
    more = len(lines) - most
    return lines[:most] + ([f"and {more} more tiles lack a band"] if more > 0 else [])


def _area(index: TileIndex) -> float:
    """Return the square degrees that the tiles cover, counting where they overlap once.

    Measured on a grid of points over each tile: a point counts for the first tile that holds it.
    """
    side, total = 16, 0.0
    steps = (np.arange(side) + 0.5) / side
    for number, tile in enumerate(index.tiles):
        grid = next(iter(tile.images.values())).grid
        x, y = (each.ravel() for each in np.meshgrid(steps * grid.width, steps * grid.height))
        sky = grid.sky_of(x - 0.5, y - 0.5)
        own = index.is_first(number, sky)
        total += own.mean() * grid.width * grid.height * (grid.pixel_scale() / 3600) ** 2
    return total


def draw_footprint(index: TileIndex, path: Path, bands: tuple[str, ...] = ("g", "r", "z")):
    """Draw the outlines of the tiles on the sky into a PNG; those that lack a band in red.

    Parameters
    ----------
    index : TileIndex
    path : Path
    bands : tuple of str
        The bands that cutouts are made of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from catalogs.output import written_whole

    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="right ascension in degrees", ylabel="declination in degrees")
    outlines = [_outline(tile) for tile in index.tiles]
    middle = _middle_ra([outline[0, 0] for outline in outlines])
    for tile, outline in zip(index.tiles, outlines, strict=True):
        whole = set(bands) <= set(tile.images)
        ra = (outline[:, 0] - middle + 180) % 360 - 180 + middle
        colour = "#0072b2" if whole else "#d55e00"
        axes.fill(ra, outline[:, 1], facecolor=colour, edgecolor=colour, alpha=0.3, linewidth=1)
        if len(index.tiles) <= 30:
            axes.annotate(
                tile.name, (ra.mean(), outline[:, 1].mean()), ha="center", va="center", fontsize=7
            )
    axes.invert_xaxis()
    axes.ticklabel_format(useOffset=False)
    axes.set_aspect(1 / max(0.05, np.cos(np.radians(np.mean([o[:, 1].mean() for o in outlines])))))
    lacking = sum(not set(bands) <= set(tile.images) for tile in index.tiles)
    axes.set_title(
        f"{len(index.tiles)} tiles, {_area(index):.4g} square degrees"
        + (f"; {lacking} without all of {', '.join(bands)} in orange" if lacking else "")
    )
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _outline(tile: Tile) -> np.ndarray:
    """Return the corners of a tile in order around it, shape (4, 2), in degrees."""
    return next(iter(tile.images.values())).grid.outline()[[1, 2, 4, 3]]


def _middle_ra(ra: list[float]) -> float:
    """Return the middle right ascension of tiles, on either side of 0."""
    angles = np.radians(ra)
    return float(np.degrees(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())) % 360)
