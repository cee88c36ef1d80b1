"""Simulated artifacts to mix into a sample of real sky."""

from pathlib import Path
from shutil import rmtree
from typing import Protocol

import numpy as np
import pyarrow as pa
from astropy.table import Table

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.injection.tiles import Request
from lsbg_classifier.simulation.models import MODELS
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging
from lsbg_classifier.training.dataset_parts import part_path, read_part, write_part

_FIRST_SEED = 500_000
"""Far from the seeds of simulated samples."""


class _Plan(Protocol):
    """What of a sample's plan the artifacts depend on."""

    @property
    def request(self) -> Request: ...

    @property
    def artifact_tiles(self) -> int: ...

    def imaging(self) -> Imaging: ...


def check_simulation(imaging: Imaging):
    """Refuse to mix simulated artifacts into cutouts of a survey that cannot be simulated.

    Parameters
    ----------
    imaging : Imaging
        What the cutouts of the real sky show.

    Raises
    ------
    InputError
        If no simulation shows the same.
    """
    model = MODELS.get(imaging.survey)
    differences = [] if model is None else imaging.differences(model.survey.imaging())
    if model is None or differences:
        raise InputError(
            f"--simulated-share: there is no simulation of {imaging.survey} in "
            f"{''.join(imaging.bands)}; leave it out, or use tiles of {' or '.join(MODELS)} in grz"
        )


def add_artifacts(folder: Path, number: int, count: int, plan: _Plan):
    """Write a part with so many simulated artifacts into a dataset.

    Tiles without any LSBG are simulated one by one, the same for the same seed, and all that
    passes the cuts of the simulation is an artifact, until there are enough.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    number : int
        Of the part. Nothing is done if it is there.
    count : int
    plan : InjectedPlan
    """
    parts = folder / "artifacts"
    if part_path(folder, number).exists():
        rmtree(parts, ignore_errors=True)  # what a killed run left
        return
    parts.mkdir(exist_ok=True)
    images: list[np.ndarray] = []
    positions: list[np.ndarray] = []
    tile = 0
    while sum(map(len, images)) < count:
        path = part_path(parts, tile)
        if not path.exists():
            _simulate(path, plan, plan.request.seed + _FIRST_SEED + tile)
        table = read_part(path)
        images.append(_pixels(table))
        positions.append(np.stack([table["ra"].to_numpy(), table["dec"].to_numpy()], axis=1))
        tile += 1
    _write(folder, number, count, images, positions)
    rmtree(parts)


def _simulate(path: Path, plan: _Plan, seed: int):
    """Simulate one tile without LSBGs, and keep the cutouts of what its search finds."""
    scratch = path.with_suffix(".scratch")
    of_survey = SurveyPlan(1, plan.artifact_tiles, 0, seed, compressed=False)
    survey = simulate_survey(plan.imaging().survey, scratch, of_survey, processes=1, overwrite=True)
    table = Table.read(survey.candidates)
    positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
    images, flags = TileSource(survey.tiles).fetch(positions)
    usable = (flags & NOT_SCORED) == 0
    columns = {"ra": positions[usable, 0], "dec": positions[usable, 1]}
    write_part(path, columns, images[usable])
    rmtree(scratch)


def _pixels(table: pa.Table) -> np.ndarray:
    shape = (-1, CUTOUT_SIZE, CUTOUT_SIZE, 3)
    content = b"".join(table["image"].to_pylist())
    return np.frombuffer(content, np.uint8).reshape(shape)


def _write(folder, number, count, images, positions):
    places = np.concatenate([np.empty((0, 2)), *positions])[:count]
    shape = (0, CUTOUT_SIZE, CUTOUT_SIZE, 3)
    columns = {
        "row": np.arange(count),
        "ra": places[:, 0],
        "dec": places[:, 1],
        "label": np.zeros(count, np.int8),
        "split": np.full(count, "", "<U16"),
        "flags": np.zeros(count, np.int16),
        "tile": np.full(count, "simulated"),
        "x": np.full(count, np.nan),
        "y": np.full(count, np.nan),
        "simulated": np.ones(count, np.int8),
    }
    pixels = np.concatenate([np.empty(shape, np.uint8), *images])[:count]
    write_part(part_path(folder, number), columns, pixels)
