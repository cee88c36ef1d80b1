"""A tile with mocks, searched: injected into a copy, detected, cut, and ready to be cut out."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from catalogs import find_selection, open_catalog
from catalogs.cut_scales import CUT_SCALES, cut_for, has_other_scale
from catalogs.errors import InputError
from catalogs.selection import PUBLISHED_CUTS
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.detection.tiles import DetectionRequest, detect_in_tile
from lsbg_classifier.injection.tiles import Injected, Request, make_mocks, write_tile
from lsbg_classifier.own_tables import write_table
from lsbg_classifier.tile_images import TileImages, TileSet


@dataclass(frozen=True)
class Search:
    """How tiles are opened and searched.

    Attributes
    ----------
    survey : str, optional
        Survey of the tiles, where names do not tell.
    pattern : str, optional
        How the files are named; see `TileSource`.
    select : str, optional
        A published cut, a file of conditions or an expression; none: all sources pass.
    bands : str
        Of the cutouts, blue to red.
    detection : DetectionRequest
    """

    survey: str | None = None
    pattern: str | None = None
    select: str | None = "des"
    bands: str = "grz"
    detection: DetectionRequest = field(default_factory=DetectionRequest)

    def estimates_i(self, tiles: TileSet) -> bool:
        """Tell whether the cut needs an i band that the tiles lack; see `DetectionRequest`.

        Parameters
        ----------
        tiles : TileSet

        Returns
        -------
        bool

        Raises
        ------
        InputError
            If it does, and there are no r and z to estimate it from.
        """
        estimated = "i" not in tiles.bands and _needs_i(self.select)
        if estimated and not {"r", "z"} <= {*tiles.bands}:
            raise InputError(
                f"{tiles.folder}: the cut {self.select} needs an i band, or r and z to estimate it "
                "from; choose another with --select"
            )
        return estimated

    def assumptions(self, tiles: TileSet) -> list[str]:
        """Say what is assumed about images, cut and bands, in lines.

        Parameters
        ----------
        tiles : TileSet

        Returns
        -------
        list of str
        """
        lines = list(tiles.assumptions)
        if self.detection.estimate_i:
            lines.append(
                "the tiles have no i band: MAG_AUTO_I is the mean of r and z, and SPREAD_MODEL_I "
                "is measured in r"
            )
        select = self.select or ""
        for scale in sorted({round(tile.pixel_scale, 3) for tile in tiles.tiles}):
            if has_other_scale(select, scale):
                lines.append(
                    f'pixels are {scale:g}": the cut {select} uses that instead of '
                    f'{CUT_SCALES[select]}" in its limits on FLUX_RADIUS'
                )
        return lines


def _needs_i(select: str | None) -> bool:
    if select is None:
        return False
    text = PUBLISHED_CUTS.get(select)
    if text is None:
        text = Path(select).read_text(encoding="utf-8") if Path(select).is_file() else select
    return "_I" in text.upper().replace("_IMAGE", "")


@dataclass(frozen=True)
class Searched:
    """What was found in a tile with mocks.

    Attributes
    ----------
    injected : Injected
        The mocks.
    sources : astropy.table.Table
        All that was detected; with the column REPEAT.
    selected : array of bool, shape (sources,)
        Which of these pass the cut.
    cutouts : TileSource
        Of the copy with the mocks, which is deleted at the end of the context.
    """

    injected: Injected
    sources: Table
    selected: np.ndarray
    cutouts: TileSource


@contextmanager
def searched(
    tile: TileImages, request: Request, search: Search, repeat: int = 0
) -> Iterator[Searched]:
    """Inject mocks into a copy of a tile, find the sources in it, and apply the cut.

    Parameters
    ----------
    tile : TileImages
    request : Request
        The mocks.
    search : Search
    repeat : int
        Another number, other mocks.

    Yields
    ------
    Searched

    Raises
    ------
    InputError
        If an image cannot be read, has no point-spread function, or the cut needs columns that
        detection does not give.
    """
    injected = make_mocks(tile, request, repeat)
    with tempfile.TemporaryDirectory(prefix="lsbg-inject-") as scratch:
        images = Path(scratch) / "tiles"
        images.mkdir()
        write_tile(tile, injected, images, request)
        (copy,) = TileSet(images, search.survey, search.pattern).tiles
        sources = detect_in_tile(copy, search.detection)
        sources["REPEAT"] = np.full(len(sources), repeat, np.int32)
        selected = _selected(sources, tile, search.select, Path(scratch))
        cutouts = TileSource(images, bands=search.bands, survey=search.survey, tiles=search.pattern)
        yield Searched(injected, sources, selected, cutouts)


def _selected(sources: Table, tile: TileImages, select: str | None, scratch: Path) -> np.ndarray:
    """Return which sources a cut keeps."""
    if select is None or not len(sources):
        return np.ones(len(sources), bool)
    path = scratch / "candidates.fits"
    write_table(sources, path, "CANDIDATES", {})
    catalog = open_catalog(path)
    selection = find_selection(cut_for(select, tile.pixel_scale), catalog)
    return selection.keep(catalog, 0, len(sources))
