"""A sample without a single label: mock LSBGs in real tiles, and the tiles' real candidates.

Each injection into a tile is one part of the dataset: a copy of the tile with mocks is searched and
cut as for a completeness, and the cutouts of the mocks that come back (label 1) and of the real
candidates (label 0) are kept. Known LSBGs are left out; how many unknown ones to expect among the
others is written into `label_noise.NOISE_FILE`, which the training corrects for. Simulated
artifacts can be mixed in, in a stated share of the others.
"""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from catalogs.output import write_whole
from lsbg_classifier.completeness.unknown import PUBLISHED_DENSITY, UnknownLsbgs
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.injection.chain import Search, Searched, searched
from lsbg_classifier.injection.labels import KnownLsbgs, labels_of
from lsbg_classifier.injection.tiles import Request
from lsbg_classifier.surveys import Imaging
from lsbg_classifier.tile_images import TileImages, TileSet
from lsbg_classifier.training.artifacts import add_artifacts, check_simulation
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim, finished
from lsbg_classifier.training.dataset_parts import part_path, read_part, write_part
from lsbg_classifier.training.label_noise import NOISE_FILE
from lsbg_classifier.training.sky_splits import write_splits

_SEARCHED = "label-noise-{number:05d}.json"
"""What a unit says of its sky, kept until all units are there."""


@dataclass(frozen=True)
class InjectedPlan:
    """What a sample of mocks in real sky is made of; the same plan gives the same sample.

    Attributes
    ----------
    folder : Path
        The tiles.
    request : Request
        The mocks.
    search : Search
        How tiles are opened and searched.
    repeats : int
        Injections into each tile, each with other mocks.
    known : KnownLsbgs
        LSBGs that are left out of the others.
    density : float
        LSBGs per square degree that the cut keeps, known and unknown.
    simulated_share : float
        Part of the others that are simulated artifacts, in [0, 1).
    artifact_tiles : int
        Side in pixels of the tiles that these are simulated in.
    fractions : tuple of float
        Of the sky for training, validation and test.
    """

    folder: Path
    request: Request
    search: Search
    repeats: int = 1
    known: KnownLsbgs = field(default_factory=lambda: KnownLsbgs.read(None))
    density: float = PUBLISHED_DENSITY
    simulated_share: float = 0.0
    artifact_tiles: int = 3000
    fractions: tuple[float, ...] = (0.75, 0.125, 0.125)

    def __post_init__(self):
        """Refuse numbers that make no sense."""
        if not 0 <= self.simulated_share < 1:
            raise InputError("--simulated-share must be at least 0 and below 1")
        if not self.density >= 0:
            raise InputError("--lsbg-density must not be negative")
        if not 1 <= self.repeats <= 10_000:
            raise InputError("--repeats must be 1 to 10000")

    def prepared(self, tiles: TileSet) -> "InjectedPlan":
        """Check the plan against its tiles.

        Parameters
        ----------
        tiles : TileSet
            Those of `folder`.

        Returns
        -------
        InjectedPlan
            With the columns that its cut needs asked for.

        Raises
        ------
        InputError
            If a band has no colour, the cut no columns, or there is no simulation to mix in.
        """
        for tile in tiles.tiles:
            self.request.mocks.check_bands(tile.bands, f"tile {tile.name}")
        detection = replace(self.search.detection, estimate_i=self.search.estimates_i(tiles))
        if self.simulated_share:
            check_simulation(self.imaging())
        return replace(self, search=replace(self.search, detection=detection))

    def imaging(self) -> Imaging:
        """Return what the cutouts show."""
        search = self.search
        source = TileSource(
            self.folder, bands=search.bands, survey=search.survey, tiles=search.pattern
        )
        return source.imaging

    def manifest(self, tiles: TileSet) -> Manifest:
        """Return the manifest of the sample, whose digest no other plan or tiles have."""
        mocks = Path(self.request.mocks.name).name
        name = f"mocks ({mocks}) in real sky of {self.folder.resolve().name}"
        if self.simulated_share:
            name += f", {100 * self.simulated_share:g}% of the others simulated"
        known = hashlib.sha256(np.ascontiguousarray(self.known.positions, "<f8").tobytes())
        made_of = {
            "tiles": tiles.fingerprint,
            "mocks": self.request.mocks.text,
            "request": repr(replace(self.request, mocks=None)),  # type: ignore[arg-type]
            "search": repr(self.search),
            "known": known.hexdigest(),
            "numbers": [self.repeats, self.density, self.simulated_share, self.artifact_tiles],
            "fractions": self.fractions,
        }
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        parts = len(tiles.tiles) * self.repeats + (self.simulated_share > 0)
        return Manifest(name, digest, f"tiles:{self.folder}", self.imaging(), parts)


def injected_dataset(
    folder: Path | str,
    plan: InjectedPlan,
    *,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> CutoutDataset:
    """Inject, search and cut out; what is in the folder already is not made again.

    Parameters
    ----------
    folder : path
        Of the dataset; made if missing.
    plan : InjectedPlan
    processes : int
        Tiles worked on at the same time.
    progress : callable, optional
        Called with (injections done, injections in all).

    Returns
    -------
    CutoutDataset
        All of it in `SPLITS`: as many mocks as others in each, and the rest as spare rows.

    Raises
    ------
    InputError
        If the folder holds another dataset, the tiles cannot be used, or there are too few mocks
        or candidates for a sample.
    """
    folder = Path(folder)
    tiles = TileSet(plan.folder, plan.search.survey, plan.search.pattern)
    plan = plan.prepared(tiles)
    claim(folder, plan.manifest(tiles))
    units = [(tile.name, repeat) for repeat in range(plan.repeats) for tile in tiles.tiles]
    _make_parts(folder, plan, units, processes, progress)
    if not (folder / NOISE_FILE).exists():
        _complete(folder, plan, len(units))
    return finished(folder)


def _make_parts(folder, plan, units, processes, progress):
    """Make the parts that are missing."""
    missing = [n for n in range(len(units)) if not part_path(folder, n).exists()]
    done = len(units) - len(missing)
    if not missing:
        return
    make = partial(_make_part, folder, plan)
    workers = min(processes, len(missing))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(make, number, *units[number]) for number in missing]
        try:
            for future in as_completed(futures):
                future.result()
                done += 1
                if progress is not None:
                    progress(done, len(units))
        finally:
            pool.shutdown(cancel_futures=True)


def _make_part(folder: Path, plan: InjectedPlan, number: int, name: str, repeat: int):
    """Make the part of one injection into one tile."""
    tiles = TileSet(plan.folder, plan.search.survey, plan.search.pattern)
    (tile,) = (tile for tile in tiles.tiles if tile.name == name)
    with searched(tile, plan.request, plan.search, repeat) as found:
        columns, images = _cut_out(found, tile, plan.known)
    first = repeat == 0
    sky = {
        "square_degrees": found.injected.covered_area if first else 0.0,
        "known": plan.known.in_tile(tile) if first else 0,
    }
    write_whole(folder / _SEARCHED.format(number=number), json.dumps(sky), alone=True)
    write_part(part_path(folder, number), columns, images)


def _cut_out(found: Searched, tile: TileImages, known: KnownLsbgs):
    """Return the columns and the cutouts of the labelled sources that pass the cut."""
    repeat = found.injected.repeat
    labels = labels_of(found.sources, found.injected.truth, known, repeat)
    rows = np.flatnonzero(found.selected & (labels >= 0))
    sources = found.sources[rows]
    positions = np.stack([sources["ALPHA_J2000"], sources["DELTA_J2000"]], axis=1)
    images, flags = fetch_usable(found.cutouts.fetch, positions)
    columns = {
        "row": rows,
        "ra": positions[:, 0],
        "dec": positions[:, 1],
        "label": labels[rows].astype(np.int8),
        "split": np.full(len(rows), "", "<U16"),
        "flags": flags,
        "tile": np.full(len(rows), tile.name, f"<U{len(tile.name)}"),
        "x": np.asarray(sources["X_IMAGE"], np.float64) * tile.pixel_scale,
        "y": np.asarray(sources["Y_IMAGE"], np.float64) * tile.pixel_scale,
        "simulated": np.zeros(len(rows), np.int8),
    }
    return columns, images


def _complete(folder: Path, plan: InjectedPlan, units: int):
    """Mix artifacts in, split the sky, and say how many unknown LSBGs to expect; the last step."""
    tables = [read_part(part_path(folder, n), without=("image",)) for n in range(units)]
    usable = [(t["flags"].to_numpy() & int(NOT_SCORED)) == 0 for t in tables]
    labels = [t["label"].to_numpy()[ok] for t, ok in zip(tables, usable, strict=True)]
    mocks, real = (int(sum((part == value).sum() for part in labels)) for value in (1, 0))
    skies = [json.loads((folder / _SEARCHED.format(number=n)).read_text()) for n in range(units)]
    area, known = (sum(sky[key] for sky in skies) for key in ("square_degrees", "known"))
    unknown = UnknownLsbgs(plan.density, area, known, real)
    unknown.check()
    share = plan.simulated_share
    simulated = round(real * share / (1 - share))
    if share:
        add_artifacts(folder, units, simulated, plan)
    write_splits(folder, units + (share > 0), plan.fractions, plan.request.seed)
    content = {
        "mocks": mocks,
        "real_candidates": real,
        "simulated_artifacts": simulated,
        "square_degrees": area,
        "lsbgs_per_square_degree": plan.density,
        "known_lsbgs": known,
        "expected_unknown_lsbgs": unknown.expected,
        "unlabelled_fraction": unknown.expected / max(real + simulated, 1),
        "in_words": unknown.describe(),
    }
    write_whole(folder / NOISE_FILE, json.dumps(content, indent=1), alone=True)
    for number in range(units):
        (folder / _SEARCHED.format(number=number)).unlink(missing_ok=True)
