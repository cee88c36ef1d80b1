"""A sample from simulated sky: surveys are made, searched and cut out, with the truth known."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

import numpy as np
from astropy.table import Table

from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.simulation.survey import SimulatedSurvey, simulate_survey
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.dataset import (
    CutoutDataset,
    Manifest,
    claim,
    finished,
    part_path,
    write_part,
)

_TILES = 4
_LEFT_OUT = 0.1
"""Part of the surveys that validation and test have each."""

_NOT_FEATURES = ("NUMBER", "ALPHA_J2000", "DELTA_J2000", "X_IMAGE", "Y_IMAGE", "TILENAME")


def simulated_dataset(
    folder: Path | str,
    *,
    survey: str = "des",
    surveys: int = 40,
    seed: int = 1000,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> CutoutDataset:
    """Simulate surveys of four tiles each and keep the cutouts of all their candidates.

    Every other candidate is kept as the tiles show it, the rest as the viewer's JPEG does, so
    that a network learns to give both the same probability. Whole surveys are left out for
    validation and test, a tenth each. Surveys whose cutouts are there already are not made again.

    Parameters
    ----------
    folder : path
    survey : str
        What to imitate; see `lsbg_classifier.simulation.survey.simulate_survey`.
    surveys : int
        How many, at least 3.
    seed : int
        Of the first survey; the next ones follow.
    processes : int
        Surveys made at the same time.
    progress : callable, optional
        Called with (surveys done, surveys in all).
    """
    folder = Path(folder)
    name = f"{surveys} simulated {survey} surveys from seed {seed}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    imaging = survey_named(survey).imaging()
    claim(folder, Manifest(name, digest, f"simulated:{survey}", imaging, surveys))
    missing = [number for number in range(surveys) if not part_path(folder, number).exists()]
    done = surveys - len(missing)
    make = partial(_make_part, folder, survey, surveys, seed)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(make, number) for number in missing]):
            future.result()
            done += 1
            if progress is not None:
                progress(done, surveys)
    return finished(folder)


def _make_part(folder: Path, survey: str, surveys: int, seed: int, number: int):
    scratch = folder / f"scratch-{number:05d}"
    made = simulate_survey(
        survey, scratch, tiles=_TILES, seed=seed + number, processes=1, overwrite=True
    )
    cut_part(part_path(folder, number), made, _split_of(number, surveys))
    rmtree(scratch)


def _split_of(number: int, surveys: int) -> str:
    """Put the last surveys into the test set, and those before them into the validation set."""
    left_out = max(1, round(_LEFT_OUT * surveys))
    if number >= surveys - left_out:
        return "test"
    return "validation" if number >= surveys - 2 * left_out else "train"


def cut_part(path: Path, survey: SimulatedSurvey, split: str):
    """Cut out the candidates of a simulated survey and write them as one part of a dataset."""
    candidates, truth = Table.read(survey.candidates), Table.read(survey.truth)
    positions = np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1)
    images = np.empty((len(positions), 64, 64, 3), np.uint8)
    flags = np.empty(len(positions), np.int16)
    for kind, jpeg in enumerate((False, True)):
        rows = slice(kind, None, 2)
        images[rows], flags[rows] = TileSource(survey.tiles, jpeg=jpeg).fetch(positions[rows])
    columns = {
        "row": np.arange(len(positions)),
        "ra": positions[:, 0],
        "dec": positions[:, 1],
        "label": np.asarray(truth["LABEL"]).astype(np.int8),
        "split": np.full(len(positions), split, object),
        "flags": flags,
    }
    features = [name for name in candidates.colnames if name not in _NOT_FEATURES]
    columns |= {name: np.asarray(candidates[name]).astype(np.float64) for name in features}
    write_part(path, columns, images)
