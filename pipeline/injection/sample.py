"""A sample to train on from one's own tiles: mocks in real sky, and the tiles' real candidates."""

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from catalogs import open_catalog
from catalogs.flags import NOT_SCORED
from catalogs.output import naming, written_whole
from catalogs.sphere import unit_vectors
from lsbg_classifier.completeness.matching import Sky, match
from lsbg_classifier.surveys import CUTOUT_SIZE

PUBLISHED_DENSITY = 4.8
"""LSBGs per square degree, 23,790 in about 5,000 (Tanoglidis et al. 2021, ApJS 252, 18)."""

_MATCH_RADIUS = 3.0
_PIECES = 2.0
"""Effective radii around a mock in which other sources are pieces of it."""

_LEAST = 10.0
"""Arcseconds: the least of that, and the distance to known LSBGs that are left out."""


@dataclass(frozen=True)
class KnownLsbgs:
    """Positions of known LSBGs, which are no examples of others; degrees, shape (N, 2)."""

    positions: np.ndarray

    @classmethod
    def read(cls, path: str | None) -> "KnownLsbgs":
        """Read any catalog with positions; none: there are no known ones.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        if path is None:
            return cls(np.empty((0, 2)))
        catalog = open_catalog(path)
        positions = catalog.read_positions(0, catalog.row_count)
        return cls(positions[np.isfinite(positions).all(axis=1)])


def labels_of(found: Table, truth: Table, known: KnownLsbgs, repeat: int) -> np.ndarray:
    """Label the sources of a tile with mocks.

    Parameters
    ----------
    found : astropy.table.Table
        With positions ``ALPHA_J2000``, ``DELTA_J2000``.
    truth : astropy.table.Table
        Of the mocks in it.
    known : KnownLsbgs
    repeat : int
        Real candidates are taken from the first injection alone, for they are in all.

    Returns
    -------
    array of int8, shape (sources,)
        1: a mock; 0: a real candidate; -1: neither, as a piece of a mock or a known LSBG.
    """
    positions = np.stack([found["ALPHA_J2000"], found["DELTA_J2000"]], axis=1)
    mocks = np.stack([truth["RA"], truth["DEC"]], axis=1)
    labels = np.full(len(found), 0 if repeat == 0 else -1, np.int8)
    reach = np.maximum(_PIECES * np.asarray(truth["R_EFF"]), _LEAST)
    labels[_within(positions, mocks, reach)] = -1
    labels[_within(positions, known.positions, np.full(len(known.positions), _LEAST))] = -1
    number, _ = match(Sky(mocks), Sky(positions), _MATCH_RADIUS)
    labels[number[number >= 0]] = 1
    return labels


def _within(positions: np.ndarray, centres: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the rows of positions that lie within so many arcseconds of any centre."""
    if not len(centres) or not len(positions):
        return np.empty(0, int)
    chords = 2 * np.sin(np.radians(reach / 3600) / 2)
    near = cKDTree(unit_vectors(positions)).query_ball_point(unit_vectors(centres), chords)
    return np.unique(np.concatenate([np.asarray(rows, int) for rows in near]))


def sample_table(found: Table, labels: np.ndarray, flags: np.ndarray, cutouts: dict) -> Table:
    """Collect the cutouts of one unit that have a label and can be scored.

    Parameters
    ----------
    found : astropy.table.Table
    labels : array of int8, shape (sources,)
        As of `labels_of`.
    flags : array of int16, shape (sources,)
    cutouts : dict of int to array of uint8, shape (64, 64, 3)
        By row.

    Returns
    -------
    astropy.table.Table
        A row for each usable cutout.
    """
    usable = (labels >= 0) & ((flags & NOT_SCORED) == 0)
    rows = [row for row in np.flatnonzero(usable) if int(row) in cutouts]
    side = CUTOUT_SIZE
    images = np.zeros((len(rows), side, side, 3), np.uint8)
    for place, row in enumerate(rows):
        images[place] = cutouts[int(row)]
    columns = {
        "label": labels[rows].astype(np.int16),
        "ra": np.asarray(found["ALPHA_J2000"])[rows],
        "dec": np.asarray(found["DELTA_J2000"])[rows],
        "cutout": images.reshape(len(rows), -1),
    }
    return Table(columns)


def write_sample(sample: Table, area: float, folder: Path) -> list[str]:
    """Write ``sample.npy``, ``sample.csv`` and ``sample.json``; say what they hold.

    Parameters
    ----------
    sample : astropy.table.Table
        Of all units.
    area : float
        Square degrees that the tiles cover.
    folder : Path

    Returns
    -------
    list of str
        Lines for a terminal.
    """
    labels = np.asarray(sample["label"])
    images = np.asarray(sample["cutout"], np.uint8).reshape(-1, CUTOUT_SIZE, CUTOUT_SIZE, 3)
    mocks, others = int((labels == 1).sum()), int((labels == 0).sum())
    expected = PUBLISHED_DENSITY * area
    noise = min(1.0, expected / others) if others else 0.0
    with written_whole(folder / "sample.npy") as partial, naming(partial):
        with open(partial, "wb") as file:
            np.save(file, images)
    text = StringIO("index,label,ra,dec\n")
    text.seek(0, 2)
    for number, row in enumerate(sample):
        text.write(f"{number},{row['label']},{row['ra']:.7f},{row['dec']:.7f}\n")
    content = {
        "mocks": mocks,
        "others": others,
        "square_degrees": area,
        "expected_unknown_lsbgs": expected,
        "expected_label_noise_of_others": noise,
    }
    for name, written in (
        ("sample.csv", text.getvalue()),
        ("sample.json", json.dumps(content, indent=1) + "\n"),
    ):
        with written_whole(folder / name) as partial:
            partial.write_text(written, encoding="utf-8")
    return [
        f"sample to train on: {mocks} mocks, {others} real candidates",
        f"of these about {expected:.1f} are LSBGs that nobody has labelled, {100 * noise:.1f}%, by "
        f"the published {PUBLISHED_DENSITY:g} per square degree",
    ]
