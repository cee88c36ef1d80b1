"""A sample to train on from one's own tiles: mocks in real sky, and the tiles' real candidates."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
from astropy.table import Table

from catalogs.flags import NOT_SCORED
from catalogs.output import naming, written_whole
from lsbg_classifier.completeness.unknown import PUBLISHED_DENSITY, UnknownLsbgs
from lsbg_classifier.injection.chain import Searched
from lsbg_classifier.injection.labels import KnownLsbgs
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.tile_images import TileImages


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


def sky_table(searched: Searched, tile: TileImages, known: KnownLsbgs) -> Table:
    """Say how much sky the real candidates of one unit come from; none for later injections.

    Parameters
    ----------
    searched : Searched
    tile : TileImages
    known : KnownLsbgs

    Returns
    -------
    astropy.table.Table
        One row: square degrees with data, and known LSBGs in the tile.
    """
    first = searched.injected.repeat == 0
    area = searched.injected.covered_area if first else 0.0
    return Table({"area": [area], "known": [known.in_tile(tile) if first else 0]})


def write_sample(sample: Table, sky: Table, folder: Path) -> list[str]:
    """Write ``sample.npy``, ``sample.csv`` and ``sample.json``; say what they hold.

    Parameters
    ----------
    sample : astropy.table.Table
        Of all units.
    sky : astropy.table.Table
        Of all units, as of `sky_table`.
    folder : Path

    Returns
    -------
    list of str
        Lines for a terminal.
    """
    labels = np.asarray(sample["label"])
    images = np.asarray(sample["cutout"], np.uint8).reshape(-1, CUTOUT_SIZE, CUTOUT_SIZE, 3)
    mocks, others = int((labels == 1).sum()), int((labels == 0).sum())
    area, known = float(np.sum(sky["area"])), int(np.sum(sky["known"]))
    unknown = UnknownLsbgs(PUBLISHED_DENSITY, area, known, others)
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
        "known_lsbgs": known,
        "expected_unknown_lsbgs": unknown.expected,
        "expected_label_noise_of_others": unknown.fraction,
    }
    for name, written in (
        ("sample.csv", text.getvalue()),
        ("sample.json", json.dumps(content, indent=1) + "\n"),
    ):
        with written_whole(folder / name) as partial:
            partial.write_text(written, encoding="utf-8")
    return [f"sample to train on: {mocks} mocks, {others} real candidates", unknown.describe()]
