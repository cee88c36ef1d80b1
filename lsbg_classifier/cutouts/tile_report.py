"""What a folder of images holds and what is supposed of it, in plain sentences."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from catalogs.sphere import middle_ra
from lsbg_classifier.cutouts.flux_doubts import (
    doubt_of,
    find_high_skies,
    images_by_scale,
    images_of,
    images_without_scale,
)
from lsbg_classifier.cutouts.image_kinds import BANDS, Kind
from lsbg_classifier.cutouts.layouts import GENERIC, FileName
from lsbg_classifier.cutouts.same_pixels import find_same_pixels
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_groups import Tile, counts_to_nanomaggies
from lsbg_classifier.cutouts.tile_index import TileIndex


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
    """Say what is supposed of images because no file says it, and which files cannot be read.

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
        *find_high_skies(index, bands),
        *find_same_pixels(index, bands),
        *_converted_pixels(index, bands),
        *_passed_over_bands(index, bands),
        *_bands_of_other_names(index, bands),
        *_sides_of_other_names(index, bands),
        *index.scan.reasons(unreadable=True),
    ]


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
    lines = []
    for (title, zero_point), images in images_without_scale(index, bands).items():
        _, image = images[0]
        several = len({each.path for _, each in images})
        files = f"{_several(several, 'file')} {'says' if several == 1 else 'say'}"
        lines.append(
            f"{files} neither unit nor zero point of the pixels, such as {image.path}: the zero "
            f"point of {title}, {zero_point:g}, is supposed{_unread(image)}"
            f"{doubt_of(index, images)}"
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


def _doubtful_statements(index: TileIndex, bands) -> list[str]:
    """Name flux scales that files state, and that are not plausible."""
    lines = []
    for images in images_by_scale(index, bands):
        if doubt := doubt_of(index, images):
            (_, image), more = images[0], len(images) - 1
            who = f"{image.path} and {more} more say" if more else f"{image.path} says"
            lines.append(f"{who} {image.scale.source}{doubt}")
    return lines


def _converted_pixels(index: TileIndex, bands) -> list[str]:
    """Say whether pixels are of another size than the survey's."""
    scale = index.survey.pixel_scale
    others = sorted(
        {
            round(image.pixel_scale, 3)
            for _, image in images_of(index, bands)
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


def _bands_of_other_names(index: TileIndex, bands) -> list[str]:
    """Say which bands are of one tile by their place alone, though words of their names differ."""
    pairs = []
    for tile in index.tiles:
        images = [tile.science[band] for band in bands if band in tile.science]
        named: dict[str, str] = {}
        for image in images:
            named.setdefault(_words_of_tile(index.scan.names[image.path]), image.path)
        if len(named) > 1 and "" not in named:
            pairs.append([*named.values()][:2])
    if not pairs:
        return []
    return [
        f"the bands of {_several(len(pairs), 'tile')} are joined by their place, because their "
        f"names differ, such as {' and '.join(pairs[0])}"
    ]


def _words_of_tile(name: FileName) -> str:
    """Return the words of a tile's name; "" for known surveys, and where all are short."""
    is_known = name.layout.name != GENERIC.name
    return "" if is_known else " ".join(re.findall("[a-z]{2,}", name.tile.lower()))


def _sides_of_other_names(index: TileIndex, bands) -> list[str]:
    """Say how many weights and masks are used for images of other names, if some are."""
    names = index.scan.names
    others = {
        side.path: image
        for _, image in images_of(index, bands)
        for side in (image.weight, image.mask)
        if side is not None and names[side.path].tile != names[image.path].tile
    }
    if not others:
        return []
    path, image = next(iter(others.items()))
    files = "file is" if len(others) == 1 else "files are"
    return [
        f"{len(others)} {files} taken for the weight or mask of an image of another name, because "
        f"both are the only ones of their band in the folder, such as {path} of {image.path}"
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
        images = list(images_of(index, [band]))
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
    scales = Counter(f"{image.pixel_scale:.3f}" for _, image in images_of(index, BANDS))
    listed = ", ".join(
        f"{scale} ({_several(count, 'image')})" for scale, count in scales.most_common(5)
    )
    return [f"pixels in arcsec: {listed}"]


def _sides(index: TileIndex) -> list[str]:
    """Say how many images have a weight or a mask."""
    images = [image for _, image in images_of(index, BANDS)]
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
    middle = middle_ra([outline[0, 0] for outline in outlines])
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
