"""What is remembered of a folder of images between runs, beside them or in the user's cache."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from catalogs.fits_headers import UNREADABLE
from catalogs.output import write_whole
from lsbg_classifier.cutouts.tile_contents import FileContent
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.folders import cache_folder

INDEX_NAME = ".lsbg_tiles.json"
"""File beside the images that remembers what they hold."""

_VERSION = 8


class TileMemory:
    """The remembered contents of a folder's files.

    A file's content counts for as long as its size, time of change and reading of its name are the
    same. The file of the index carries a checksum of itself: one that is damaged, or was changed
    by hand, is made again.

    Parameters
    ----------
    folder : TileFolder
    """

    def __init__(self, folder: TileFolder):
        beside, cached = folder.beside(INDEX_NAME), _cache_path(folder)
        self._places = (cached,) if beside is None else (beside, cached)
        self._remembered = _read(self._places)

    def recall(self, path: str, stamp: list) -> FileContent | None:
        """Return what a file holds, None if it is not known or the file has changed.

        Parameters
        ----------
        path : str
            File in the folder.
        stamp : list
            What changes when the file or the reading of its name does; JSON values.

        Returns
        -------
        FileContent or None
        """
        entry = self._remembered.get(path)
        if entry is None or entry["stamp"] != stamp:
            return None
        with suppress(*UNREADABLE):
            return FileContent.from_json(entry["content"])
        return None

    def keep(self, contents: dict[str, tuple[list, FileContent]]):
        """Remember the contents of files, with their stamps, and forget all others."""
        entries = {
            path: {"stamp": stamp, "content": json.loads(json.dumps(content.as_json()))}
            for path, (stamp, content) in contents.items()
        }
        if entries != self._remembered:
            _write(self._places, entries)


def _cache_path(folder: TileFolder) -> Path:
    digest = hashlib.sha256(folder.identity().encode()).hexdigest()[:16]
    return cache_folder() / f"tiles-{digest}.json"


def _checksum(entries: dict) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def _read(places) -> dict[str, dict]:
    """Read the index from the first place that has a whole one of this version."""
    for place in places:
        with suppress(*UNREADABLE):
            content = json.loads(place.read_text())
            files = content["files"]
            if content["version"] == _VERSION and content["sha256"] == _checksum(files):
                return files
    return {}


def _write(places, entries: dict):
    """Write the index to the first place that takes it; do without where none does."""
    content = {"version": _VERSION, "sha256": _checksum(entries), "files": entries}
    text = json.dumps(content)
    for place in places:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, text)
            return
