"""The folder that gets mocks and what came of them: checked before, and cleared of what is ours."""

import shutil
from pathlib import Path

from catalogs.errors import InputError
from catalogs.output import check_parent
from pipeline.job import journal_of


def check_folder(output: Path, tiles: Path, *, overwrite: bool):
    """Refuse an output folder that overlaps the tiles, or holds other files.

    Those of an unfinished run are left for `TileJob` to judge.

    Parameters
    ----------
    output, tiles : Path
    overwrite : bool
        Whether an earlier output may be replaced.

    Raises
    ------
    InputError
        If the folders overlap, the output is a file or its parent is missing, or it holds files
        that may not be replaced.
    """
    here, there = output.resolve(), tiles.resolve()
    if here == there or there in here.parents or here in there.parents:
        raise InputError(f"{output}: overlaps the folder of tiles; choose another output")
    check_parent(output)
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder")
    unfinished = (journal_of(output) / "job.json").exists()
    if any(path.is_file() for path in output.rglob("*")) and not (overwrite or unfinished):
        raise InputError(f"{output}: holds files already; add --overwrite to replace them")
    folders = [path for path in output.iterdir() if path.is_dir() and any(path.iterdir())]
    if folders and not unfinished and not (output / "truth.fits").exists():
        raise InputError(
            f"{folders[0]}: not of an earlier run, which leaves truth.fits beside it, and not "
            "removed; choose another output"
        )


def clear_folder(output: Path, names: tuple[str, ...]):
    """Remove an earlier output of ours from a folder; refuse if it holds anything else.

    Parameters
    ----------
    output : Path
        Nothing happens if it is no folder.
    names : tuple of str
        Files and folders that the command writes into it.

    Raises
    ------
    InputError
        If the folder holds anything of another name; nothing is removed then.
    """
    if not output.is_dir():
        return
    for path in output.iterdir():
        if path.name not in names:
            raise InputError(f"{path}: not written by this command and not removed; move it away")
    for path in output.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
