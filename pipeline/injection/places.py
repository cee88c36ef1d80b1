"""A folder of tiles as workers find it again: where it is, and whether it is still the same."""

from dataclasses import dataclass
from functools import lru_cache

from catalogs.errors import InputError
from lsbg_classifier.tile_images import TileImages, TileSet


@dataclass(frozen=True)
class TilesPlace:
    """A folder of tiles as workers open it: path, survey, names, and its fingerprint."""

    folder: str
    survey: str | None
    pattern: str | None
    fingerprint: str


def place_of(tiles: TileSet, survey: str | None, pattern: str | None) -> TilesPlace:
    """Describe a folder that is open, for workers.

    Parameters
    ----------
    tiles : TileSet
        The open folder.
    survey : str or None
        Name or file of the survey that the folder was opened with; None: names of files tell it.
    pattern : str or None
        Pattern of file names that the folder was opened with; None: a known layout.

    Returns
    -------
    TilesPlace
        With the fingerprint of the tiles, by which a worker sees that they changed.
    """
    return TilesPlace(str(tiles.folder), survey, pattern, tiles.fingerprint)


@lru_cache(maxsize=4)
def _tiles(place: TilesPlace) -> dict[str, TileImages]:
    """Index a folder once a process."""
    tiles = TileSet(place.folder, place.survey, place.pattern)
    if tiles.fingerprint != place.fingerprint:
        raise InputError(
            f"{place.folder}: its images have changed since this run began; start again with "
            "--overwrite"
        )
    return {tile.name: tile for tile in tiles.tiles}


def tile_named(name: str, place: TilesPlace) -> TileImages:
    """Return a tile of a folder, as a worker sees it.

    Parameters
    ----------
    name : str
        Of the tile.
    place : TilesPlace
        Where it is, and what the folder's fingerprint must be.

    Returns
    -------
    TileImages
    """
    return _tiles(place)[name]
