"""Which files of a folder are science images, weights and masks, and which are passed over."""

import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from catalogs.errors import InputError
from lsbg_classifier.cutouts.image_kinds import Kind
from lsbg_classifier.cutouts.layouts import FileName, is_fits_name, read_name
from lsbg_classifier.cutouts.sides import Side
from lsbg_classifier.cutouts.tile_contents import FileContent, ScienceImage
from lsbg_classifier.cutouts.tile_files import NoImageFileError, read_file
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_memory import TileMemory

_NO_FILE = "no file but a link that leads nowhere, or a pipe"


@dataclass
class Scan:
    """What a folder holds.

    Attributes
    ----------
    folder : TileFolder
    names : dict of str to FileName
        What the names of FITS files say, by path.
    images : dict of str to list of ScienceImage
        By path.
    sides : list of Side
        Weights and masks in files of their own.
    passed_over : dict of str to str
        Why a file is not used, by path.
    unreadable : set of str
        Those of them that are no FITS files or damaged, whatever their names say.
    refused : dict of str to str
        What is wrong with damaged or contradictory files, by path; empty unless asked for.
    fingerprint : str
        A text that changes when a file in use is replaced.
    """

    folder: TileFolder
    names: dict[str, FileName] = field(default_factory=dict)
    images: dict[str, list[ScienceImage]] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""

    def reasons(self, most: int = 5, *, unreadable: bool = False) -> list[str]:
        """Say how many files were passed over and why, the commonest reasons first.

        Parameters
        ----------
        most : int
            Reasons that are named; the files of others are only counted.
        unreadable : bool
            Speak only of those that are no FITS files or damaged, whatever their names say.

        Returns
        -------
        list of str
        """
        passed_over = {
            path: reason
            for path, reason in self.passed_over.items()
            if path in self.unreadable or not unreadable
        }
        counts = Counter(passed_over.values())
        first = {reason: path for path, reason in reversed(passed_over.items())}
        lines = [
            f"{count} {'file' if count == 1 else 'files'} passed over: {reason} "
            f"({'' if count == 1 else 'such as '}{first[reason]})"
            for reason, count in counts.most_common(most)
        ]
        other_files = len(passed_over) - sum(count for _, count in counts.most_common(most))
        return [*lines, *([f"{other_files} more files passed over"] if other_files else [])]


def scan_folder(
    folder: TileFolder, pattern: re.Pattern | None = None, *, all_files: bool = False
) -> Scan:
    """Look through a folder of images.

    Parameters
    ----------
    folder : TileFolder
    pattern : re.Pattern, optional
        The user's own naming of files; see `layouts.compile_pattern`.
    all_files : bool
        Look at all files, and collect what is wrong with some of them, where else the first one
        is an error.

    Returns
    -------
    Scan

    Raises
    ------
    InputError
        If an image is damaged or contradicts itself, or nothing in the folder can be used.
    """
    scan, memory = Scan(folder), TileMemory(folder)
    science = _sort_by_name(scan, sorted(folder.names()), pattern)
    contents = _contents(scan, memory, science, all_files)
    tiles = {scan.names[path].tile for path in science}
    sides = _sides_beside(scan, science, tiles)
    spare = {path for path in sides if scan.names[path].tile not in tiles}
    contents |= _contents(scan, memory, sides, all_files, spare)
    memory.keep(contents)
    for path, (_, content) in contents.items():
        if content.passed_over:
            scan.passed_over[path] = content.passed_over
        elif content.images:
            scan.images[path] = content.images
        else:
            scan.sides += content.sides
    _check_usable(scan)
    used = sorted((path, contents[path][0]) for path in contents if path not in scan.passed_over)
    scan.fingerprint = hashlib.sha256(json.dumps(used).encode()).hexdigest()
    return scan


def _sort_by_name(scan: Scan, paths: list[str], pattern) -> list[str]:
    """Read all names; return those that may be science images."""
    science = []
    for path in paths:
        if not is_fits_name(path):
            suffix = PurePosixPath(path).suffix or "without ending"
            scan.passed_over[path] = f"no FITS file by its name, {suffix}"
            continue
        name = read_name(path, pattern)
        if name is None:
            scan.passed_over[path] = "its name does not follow the pattern of --tiles"
            continue
        scan.names[path] = name
        if name.kind == Kind.OTHER:
            scan.passed_over[path] = f"no science image by the word {name.word!r} in its name"
        elif name.kind not in (Kind.WEIGHT, Kind.MASK):
            science.append(path)
    return _without_alternatives(scan, science)


def _without_alternatives(scan: Scan, science: list[str]) -> list[str]:
    """Pass over images whose name has a doubtful word where the same name without it is there."""

    def key(path):
        return scan.names[path].tile, scan.names[path].band

    sure = {key(path) for path in science if scan.names[path].kind == Kind.SCIENCE}
    for path in science:
        name = scan.names[path]
        if name.kind == Kind.UNSURE and key(path) in sure:
            scan.passed_over[path] = f"the image without {name.word!r} in its name is used"
    return [path for path in science if path not in scan.passed_over]


def _sides_beside(scan: Scan, science: list[str], tiles: set[str]) -> list[str]:
    """Return the weights and masks that may be of images; pass over the others.

    They are those of the tiles that have images, and those of a band that an image in their folder
    has: whether these fit is seen when the images are known.
    """
    folders = {(PurePosixPath(path).parent, scan.names[path].band) for path in science}
    sides = []
    for path, name in scan.names.items():
        if name.kind not in (Kind.WEIGHT, Kind.MASK):
            continue
        beside = name.band and (PurePosixPath(path).parent, name.band) in folders
        if name.tile in tiles or beside:
            sides.append(path)
        else:
            scan.passed_over[path] = f"a {name.kind} with no image beside it"
    return sides


def _contents(
    scan: Scan,
    memory: TileMemory,
    paths: Iterable[str],
    all_files: bool,
    spare: Collection[str] = (),
) -> dict[str, tuple[list, FileContent]]:
    """Describe files, reading only those that are not remembered.

    What is no FITS file is passed over, and so are damaged files that can be spared.
    """
    paths = list(paths)
    stamps = {
        path: [*stamp, _reading(scan.names[path])]
        for path, stamp in scan.folder.stamps(paths).items()
    }
    scan.passed_over |= {path: _NO_FILE for path in paths if path not in stamps}
    paths = list(stamps)
    known = {path: memory.recall(path, stamps[path]) for path in paths}
    new = [path for path, content in known.items() if content is None]

    def read(path: str) -> FileContent | None:
        try:
            return read_file(scan.folder, path, scan.names[path])
        except InputError as error:
            if path in spare or isinstance(error, NoImageFileError):
                scan.passed_over[path] = str(error).removeprefix(f"{scan.folder.where(path)}: ")
                scan.unreadable.add(path)
            elif all_files:
                scan.refused[path] = str(error)
            else:
                raise
            return None

    with warnings.catch_warnings(action="ignore"):
        known |= dict(zip(new, scan.folder.each(read, new), strict=True))
    return {path: (stamps[path], content) for path in paths if (content := known[path]) is not None}


def _reading(name: FileName) -> str:
    """Return what of a name decides how a file is described."""
    return f"{name.layout.name} {name.tile} {name.band} {name.kind} {name.surely}"


def _check_usable(scan: Scan):
    if scan.images:
        return
    if not any(map(is_fits_name, [*scan.names, *scan.passed_over])):
        raise InputError(
            f"{scan.folder}: no tiles (files named *.fits or *.fits.fz) in this folder or below it"
        )
    reasons = [*scan.reasons(most=3), *list(scan.refused.values())[:3]]
    if scan.sides:
        reasons.append(f"weights or masks alone in files such as {scan.sides[0].path}")
    raise InputError(
        f"{scan.folder}: no tiles that can be used in this folder or below it: "
        f"{'; '.join(reasons)}; say with --tiles how the files are named"
    )
