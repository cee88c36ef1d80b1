"""Splits of a sample by the sky it shows, so that no sky is both taught and tested by.

Several injections into a tile show the same sky. So tiles are divided into square cells, and whole
cells go to a split; with at least 60 tiles, whole tiles do.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier.training.dataset_parts import part_path, read_part, replace_columns
from lsbg_classifier.training.samples import SPARE, SPLITS

_CELLS = 60
"""Cells that the sky is divided into at least, where it is large enough."""

_SMALLEST = 60.0
"""Arcseconds a side of a cell; cutouts are 21" to 34" wide."""


def write_splits(folder: Path, parts: int, fractions: tuple[float, ...], seed: int):
    """Put every row of a dataset into a split.

    Parameters
    ----------
    folder : Path
        Of a dataset whose parts have the columns ``tile``, ``x`` and ``y`` (arcsec), ``label``,
        ``flags`` and ``simulated``; simulated rows show no sky of the tiles.
    parts : int
    fractions : tuple of float
        Of the sky, for each of `SPLITS`.
    seed : int

    Raises
    ------
    InputError
        If the training split lacks a class.
    """
    paths = [part_path(folder, number) for number in range(parts)]
    tables = [read_part(path, without=("image",)) for path in paths]
    joined = pa.concat_tables(tables)
    columns = {name: joined[name].to_numpy() for name in joined.column_names}
    rng = np.random.default_rng(seed)
    of_row = _of_sky(columns, fractions, rng)
    usable = (columns["flags"] & int(NOT_SCORED)) == 0
    splits = _balanced(of_row, columns, usable, rng)
    if set(columns["label"][splits == SPLITS[0]]) != {0, 1}:
        counts = [int((columns["label"][usable] == value).sum()) for value in (1, 0)]
        raise InputError(
            f"{counts[0]} mocks and {counts[1]} others pass the cut, too few to train on: use more "
            "tiles, more --repeats, a higher --density, or another --select"
        )
    ends = np.cumsum([len(table) for table in tables])[:-1]
    for path, split in zip(paths, np.split(splits, ends), strict=True):
        replace_columns(path, {"split": split.astype("<U16")})


def _of_sky(columns, fractions, rng) -> np.ndarray:
    """Return the split of each row by its cell of the sky; simulated rows are drawn one by one."""
    real = columns["simulated"] == 0
    splits = np.empty(len(real), "<U16")
    splits[~real] = rng.choice(SPLITS, np.count_nonzero(~real), p=fractions)
    tiles, tile = np.unique(columns["tile"][real].astype(str), return_inverse=True)
    side = _side(columns["x"][real], columns["y"][real], len(tiles))
    cells = [np.floor(columns[axis][real] / side).astype(int) for axis in "xy"]
    keys, cell = np.unique(np.stack([tile, *cells], axis=1), axis=0, return_inverse=True)
    ends = np.round(np.cumsum(fractions) * len(keys)).astype(int)
    number = np.searchsorted(ends, rng.permutation(len(keys)), side="right")
    splits[real] = np.array(SPLITS)[np.minimum(number, len(SPLITS) - 1)][cell.ravel()]
    return splits


def _side(x: np.ndarray, y: np.ndarray, tiles: int) -> float:
    """Return the side of cells in arcseconds: infinite where whole tiles are enough."""
    if tiles >= _CELLS or not len(x):
        return np.inf
    area = tiles * max(np.ptp(x), 1.0) * max(np.ptp(y), 1.0)
    return max(np.sqrt(area / _CELLS), _SMALLEST)


def _balanced(of_row, columns, usable, rng) -> np.ndarray:
    """Make rows spare until each split has as many mocks as others, and its share of artifacts."""
    label, simulated = columns["label"], columns["simulated"] == 1
    others = int((usable & (label == 0)).sum())
    share = int(simulated.sum()) / max(others, 1)
    splits = np.char.add(SPARE, of_row).astype("<U16")
    for split in SPLITS:
        here = usable & (of_row == split)
        groups = [
            rng.permutation(np.flatnonzero(here & mask))
            for mask in (label == 1, (label == 0) & ~simulated, simulated)
        ]
        mocks, real, artifacts = map(len, groups)
        counts = _counts(mocks, real, artifacts, share)
        for rows, count in zip(groups, counts, strict=True):
            splits[rows[:count]] = split
    return splits


def _counts(mocks: int, real: int, simulated: int, share: float) -> tuple[int, int, int]:
    """Return how many of each to take: mocks as others, artifacts in their share of the others."""
    others = min(mocks, int(real / (1 - share)) if share < 1 else mocks)
    if share > 0:
        others = min(others, int(simulated / share))
    artifacts = min(round(others * share), simulated)
    return others, min(others - artifacts, real), artifacts
