"""A sample from simulated sky: surveys are made, searched and cut out, with the truth known.

As in Tanoglidis et al. 2021 (ApJS 252, 18, section 3), what the search finds is sorted in two
stages. A support-vector machine on the columns of SourceExtractor, trained on one survey and tuned
to lose few LSBGs, goes first; artifacts that it lets pass are of type 2, and they, with the LSBGs,
are the sample. Artifacts that it stops are of type 1.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType

import numpy as np
from astropy.table import Table

from catalogs.errors import InputError
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.simulation.models import model_named
from lsbg_classifier.simulation.survey import SimulatedSurvey, SurveyPlan, simulate_survey
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.training.baselines import features_of_table, first_stage
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim, finished
from lsbg_classifier.training.dataset_parts import (
    part_columns,
    part_path,
    read_part,
    replace_columns,
    write_part,
)
from lsbg_classifier.training.samples import SPARE, SPLITS, balanced_rows

_LSBGS = 150
"""Per 3000x3000 pixels: as many as can lie far enough from each other for a cutout to show one."""

_NOT_FEATURES = ("NUMBER", "ALPHA_J2000", "DELTA_J2000", "X_IMAGE", "Y_IMAGE", "TILENAME")

SIZES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "des": {"train": 30_000, "validation": 5_000, "test": 5_000},
        "hsc": {"train": 320, "validation": 0, "test": 960},
    }
)
"""The largest samples, half of each LSBGs: those of Tanoglidis et al. 2021."""

SEARCH = "search"
"""Split of the survey that the first stage learns from."""


@dataclass(frozen=True)
class SamplePlan:
    """Which simulated surveys a sample is made of; the same plan gives the same sample.

    Attributes
    ----------
    survey : str
        What to imitate; see `lsbg_classifier.simulation.models.MODELS`.
    surveys : int
        How many, at least 4.
    tiles, tile_size : int
        Of each survey, the size in pixels.
    seed : int
        Of the first survey; the next ones follow.
    """

    survey: str = "des"
    surveys: int = 48
    tiles: int = 4
    tile_size: int = 3000
    seed: int = 1000

    def manifest(self) -> Manifest:
        """Return the manifest of the sample, whose digest no other plan has."""
        name = f"{self.surveys} simulated {self.survey} surveys from seed {self.seed}"
        made_of = f"{name}, {self.tiles} tiles of {self.tile_size}, {_LSBGS} LSBGs"
        digest = hashlib.sha256(made_of.encode()).hexdigest()
        imaging = model_named(self.survey).survey.imaging()
        return Manifest(name, digest, f"simulated:{self.survey}", imaging, self.surveys)

    def of_survey(self, number: int) -> SurveyPlan:
        """Return the plan of one of the surveys; its tiles are plain, for they are not kept."""
        return SurveyPlan(self.tiles, self.tile_size, _LSBGS, self.seed + number, compressed=False)


def simulated_dataset(
    folder: Path | str,
    plan: SamplePlan,
    *,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> CutoutDataset:
    """Simulate surveys of a few tiles each and keep the cutouts of all their candidates.

    Every other candidate is kept as the tiles show it, the rest as the viewer's JPEG does, so
    that a network learns to give both the same probability. The first survey trains the first
    stage; whole surveys make up each split, with as many LSBGs as artifacts of type 2 in it. What
    is more, and artifacts of type 1, is kept as spare. Surveys whose cutouts are there already are
    not made again.

    Parameters
    ----------
    folder : path
    plan : SamplePlan
        The survey to imitate, how many surveys of which size, and their seed.
    processes : int
        Surveys made at the same time.
    progress : callable, optional
        Called with (surveys done, surveys in all).

    Returns
    -------
    CutoutDataset

    Raises
    ------
    InputError
        If the folder holds another dataset, or the survey has no model.
    """
    surveys = plan.surveys
    if surveys < 4:
        raise InputError(f"{surveys} simulated surveys cannot be split; make at least 4")
    folder = Path(folder)
    claim(folder, plan.manifest())
    missing = [number for number in range(surveys) if not part_path(folder, number).exists()]
    done = surveys - len(missing)
    make = partial(_make_part, folder, plan)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(make, number) for number in missing]):
            future.result()
            done += 1
            if progress is not None:
                progress(done, surveys)
    for number in range(surveys):  # what a killed run left
        rmtree(_scratch(folder, number), ignore_errors=True)
    _sort(folder, plan)
    return finished(folder)


def _scratch(folder: Path, number: int) -> Path:
    """Return where the tiles of one survey are while its cutouts are made."""
    return folder / f"scratch-{number:05d}"


def _make_part(folder: Path, plan: SamplePlan, number: int):
    """Simulate one survey, and keep the cutouts of its candidates."""
    scratch, of_survey = _scratch(folder, number), plan.of_survey(number)
    simulated = simulate_survey(plan.survey, scratch, of_survey, processes=1, overwrite=True)
    cut_part(part_path(folder, number), simulated)
    rmtree(scratch)


def cut_part(path: Path, survey: SimulatedSurvey):
    """Cut out the candidates of a simulated survey and write them as one part of a dataset.

    Parameters
    ----------
    path : Path
        Of the part. All its rows get the split `SEARCH`.
    survey : SimulatedSurvey
        On disk.
    """
    candidates, truth = Table.read(survey.candidates), Table.read(survey.truth)
    positions = np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1)
    images = np.empty((len(positions), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
    flags = np.empty(len(positions), np.int16)
    for kind, jpeg in enumerate((False, True)):
        rows = slice(kind, None, 2)
        images[rows], flags[rows] = TileSource(survey.tiles, jpeg=jpeg).fetch(positions[rows])
    columns = {
        "row": np.arange(len(positions)),
        "ra": positions[:, 0],
        "dec": positions[:, 1],
        "label": np.asarray(truth["LABEL"]).astype(np.int8),
        "split": np.full(len(positions), SEARCH, object),
        "flags": flags,
        "nearest": np.asarray(truth["NEAREST"]).astype(object),
    }
    features = [name for name in candidates.colnames if name not in _NOT_FEATURES]
    columns |= {name: np.asarray(candidates[name]).astype(np.float64) for name in features}
    write_part(path, columns, images)


def _sort(folder: Path, plan: SamplePlan):
    """Write into every part the type of each artifact, and the split of each row."""
    parts = [part_path(folder, number) for number in range(plan.surveys)]
    if all("artifact_type" in part_columns(path) for path in parts):
        return
    tables = [read_part(path, without=("image",)) for path in parts]
    labels = [table["label"].to_numpy() for table in tables]
    features = [features_of_table(table) for table in tables]
    passes = first_stage(features[0], labels[0], seed=plan.seed)
    passes_of_parts = [passes(part) for part in features]
    survey_splits = [SEARCH, *_survey_splits(plan.survey, plan.surveys - 1)]
    splits = _splits(survey_splits, labels, passes_of_parts, plan)
    for path, label, passed, split in zip(parts, labels, passes_of_parts, splits, strict=True):
        types = np.where(label == 1, 0, np.where(passed, 2, 1)).astype(np.int8)
        replace_columns(path, {"split": split, "artifact_type": types})


def _survey_splits(survey: str, count: int) -> list[str]:
    """Give whole surveys to the splits, in proportion to their sizes, at least one to each."""
    sizes = {split: size for split, size in SIZES[survey].items() if size}
    total = sum(sizes.values())
    last = list(sizes)[1:]
    counts = {split: max(1, round(count * sizes[split] / total)) for split in last}
    first = {next(iter(sizes)): count - sum(counts.values())}
    return [split for split, number in (first | counts).items() for _ in range(number)]


def _splits(survey_splits, labels, passes_of_parts, plan: SamplePlan) -> list[np.ndarray]:
    """Split the rows of all parts; those that a balanced sample does not take are spare."""
    rng = np.random.default_rng(plan.seed)
    number = np.repeat(np.arange(len(labels)), [len(part) for part in labels])
    of_row = np.array(survey_splits, object)[number]
    label, passed = np.concatenate(labels), np.concatenate(passes_of_parts)
    splits = np.where(of_row == SEARCH, SEARCH, SPARE + of_row)
    for split in SPLITS:
        usable = np.where((of_row == split) & passed, label, -1)
        splits[balanced_rows(usable, rng, most=SIZES[plan.survey][split] // 2)] = split
    return np.split(splits, np.cumsum([len(part) for part in labels])[:-1])
