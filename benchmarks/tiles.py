"""Coadd tiles of survey size: our stage against decompression alone and against scripts."""

import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from PIL import Image

from benchmarks.table import Row
from catalogs.columns import DEFAULT_KEYS
from lsbg_classifier.simulation.coadds import Tile, write_tile
from lsbg_classifier.weights.registry import find_weights
from pipeline.cluster import connect, in_order_of_completion
from pipeline.worker import WorkerSettings, score_unit

SIZE = 10_000
BANDS = "grz"
SCALES = {"g": 6.0, "r": 3.4, "z": 2.2}
NATIVE_PIXELS = 127  # 33.5 arcsec of 0.263

UNITS = {"compressed": 4, "uncompressed": 16}
"""Units of work, a tile's candidates each, that are timed together: some seconds of work, so that
the first and the last, which leave a core idle, count for little."""


def make_tiles(folder: Path, count: int, compressed: bool) -> list[Tile]:
    """Write tiles of noise like that of DES; the first is made, the others are moved copies."""
    folder.mkdir(parents=True)
    tiles = [
        Tile("des", f"DES{100 + n:04d}-4000", 15.0 + n, -40.0, SIZE, np.random.SeedSequence(1))
        for n in range(count)
    ]
    rng = np.random.default_rng(1)
    images = rng.standard_normal((3, SIZE, SIZE), np.float32) * np.float32(3)
    covered, rms = np.ones(images.shape, bool), np.full(images.shape, 3, np.float32)
    write_tile(folder, tiles[0], images, covered, rms, compressed=compressed)
    for tile in tiles[1:]:
        for path in folder.glob(f"{tiles[0].name}_*"):
            _move(path, path.with_name(path.name.replace(tiles[0].name, tile.name)), tile)
    os.sync()  # what is still to be written would slow down what is timed
    return tiles


def _move(path: Path, other: Path, tile: Tile):
    """Copy a tile's file to another place on the sky: only the headers change."""
    shutil.copy(path, other)
    with fits.open(other, mode="update", disable_image_compression=True) as hdus:
        for hdu in hdus[1:]:
            hdu.header["CRVAL1"], hdu.header["CRVAL2"] = tile.ra, tile.dec


def positions_in(tile: Tile, count: int) -> np.ndarray:
    """Draw positions of a tile; degrees, shape (count, 2)."""
    pixels = np.random.default_rng(count).uniform(100, SIZE - 100, (count, 2))
    return np.array(tile.wcs().all_pix2world(pixels, 0))


def work_on(folder: Path) -> WorkerSettings:
    """Describe our stage's work on a folder of tiles."""
    weights = find_weights("des-simulated")
    path = str(weights.path.resolve())
    work = path, weights.card.sha256, "auto", DEFAULT_KEYS
    return WorkerSettings(uuid.uuid4().hex, f"tiles:{folder}", (), *work)


def ours(settings: WorkerSettings, positions: np.ndarray):
    """Do what a worker does with the candidates of a tile."""
    return score_unit(np.arange(len(positions)), positions, settings)


def decompress(paths: list[Path]):
    """Decompress images and masks of a tile and do nothing else."""
    for path in paths:
        with fits.open(path) as hdus:
            _ = hdus[1].data, hdus[2].data


def read_rows(paths: list[Path], positions: np.ndarray):
    """Read the rows of images and masks that the cutouts of some positions need."""
    for path in paths:
        with fits.open(path) as hdus:
            _, y = WCS(hdus[1].header).all_world2pix(*positions.T, 0)
            for row in y:
                low = int(row) - NATIVE_PIXELS // 2
                for hdu in hdus[1:3]:
                    _ = hdu.section[low : low + NATIVE_PIXELS, :]


class Script:
    """The careful script: each tile opened once, Cutout2D, colours, Pillow, Keras at batch 32."""

    def __init__(self, network):
        self._network = network

    def __call__(self, paths: list[Path], positions: np.ndarray) -> np.ndarray:
        """Return the probabilities of candidates in one tile."""
        planes = []
        for path in paths:
            with fits.open(path) as hdus:
                data, wcs = hdus[1].data, WCS(hdus[1].header)
                planes.append([self._cut(data, wcs, *position) for position in positions])
        images = [self._colour(bands) for bands in zip(*planes, strict=True)]
        return self._network.predict(np.array(images) / np.float32(255), batch_size=32, verbose=0)

    def _cut(self, data, wcs, ra, dec):
        sky = SkyCoord(ra * u.deg, dec * u.deg)
        return Cutout2D(data, sky, NATIVE_PIXELS, wcs=wcs, mode="partial", fill_value=0).data / 1000

    def _colour(self, bands):
        scaled = [SCALES[b] * flux + 0.03 for b, flux in zip(BANDS, bands, strict=True)]
        intensity = np.maximum(sum(np.maximum(s, 0) for s in scaled) / 3, 1e-6)
        factor = np.arcsinh(20 * intensity) / np.sqrt(20) / intensity
        image = np.dstack([np.clip(s * factor, 0, 1) for s in scaled[::-1]])[::-1]
        return np.asarray(Image.fromarray((image * 255).astype(np.uint8)).resize((64, 64)))


def in_turns(*functions: Callable, rounds: int = 3) -> list[float]:
    """Return the median time of each function, called in turns: the machine's mood changes."""
    times = []
    for _ in range(rounds):
        for function in functions:
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return [float(np.median(times[number :: len(functions)])) for number in range(len(functions))]


def measure(folder: Path, candidates: int = 300, tiles: int = 4) -> list[Row]:
    """Measure compressed tiles, in one process and in two, uncompressed ones, and the network."""
    from lsbg_classifier import load_classifier
    from lsbg_classifier.network import load_network

    network = load_network(find_weights("des-simulated"))
    classifier, script = load_classifier("des-simulated"), Script(network)
    made = make_tiles(folder / "fz", tiles, compressed=True)
    rows = _compressed(folder / "fz", made[0], script, candidates)
    gain = gain_of_decompression(files_of(folder / "fz", made[0]))
    rows.append(_two_processes(work_on(folder / "fz"), made, candidates, gain))
    shutil.rmtree(folder / "fz")
    (tile,) = make_tiles(folder / "plain", 1, compressed=False)
    rows += _plain(folder / "plain", tile, script, network, classifier, candidates)
    shutil.rmtree(folder / "plain")
    return rows + _network(network, classifier)


@contextmanager
def as_the_command(settings: WorkerSettings, jobs: list[np.ndarray], workers: int | None = None):
    """Give a function that does some units of work in threads of this process, or in processes."""

    def run():
        calls = ((None, (np.arange(len(job)), job, settings)) for job in jobs)
        list(in_order_of_completion(client, score_unit, calls))

    with connect(None, workers) as client:
        client.run(ours, settings, jobs[0])  # all is loaded and compiled, and there is memory
        yield run


def _times(folder: Path, tile: Tile, script: Script, count: int, units: int, *others: Callable):
    """Return seconds a unit of our stage in threads, of the careful script, and of others."""
    paths, positions = files_of(folder, tile), positions_in(tile, count)
    script(paths, positions[:40])
    with as_the_command(work_on(folder), [positions] * units) as run:
        mine, *rest = in_turns(run, partial(script, paths, positions), *others)
    return mine / units, *rest


def _plain(folder, tile, script, network, classifier, candidates) -> list[Row]:
    images = some_cutouts()
    networks = partial(classifier.predict, images), partial(keras_alone, network, images)
    mine, careful, *times = _times(
        folder, tile, script, candidates, UNITS["uncompressed"], *networks
    )
    alone, keras = np.array(times) / len(images)
    rate = f"{candidates / mine:.0f}/s"
    return [
        Row(
            f"{candidates} candidates an uncompressed tile, against the careful script",
            f"{rate}, script {candidates / careful:.0f}/s",
            careful / mine,
            5,
        ),
        Row(
            "the same, against the network alone: `Classifier.predict`",
            f"{rate}, network {1 / alone:.0f}/s",
            alone * candidates / mine,
            0.5,
        ),
        Row(
            "the same, against the network alone: `keras.Model.predict`, batch 32",
            f"{rate}, network {1 / keras:.0f}/s",
            keras * candidates / mine,
            0.5,
        ),
    ]


def keras_alone(network, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of uint8 cutouts as Keras computes them by itself."""
    return network.predict(images / np.float32(255), batch_size=32, verbose=0)[:, 0]


def _network(network, classifier) -> list[Row]:
    images = some_cutouts()
    largest = float(abs(classifier.predict(images) - keras_alone(network, images)).max())
    networks = partial(classifier.predict, images), partial(keras_alone, network, images)
    own, others = in_turns(*networks, rounds=9)
    return [
        Row(
            "`Classifier.predict` against `keras.Model.predict`, batch 32",
            f"{len(images) / own:.0f}/s, Keras {len(images) / others:.0f}/s",
            others / own,
            1.6,
        ),
        Row("the same, largest difference in probability", f"{largest:.1e}", largest, 1e-3, True),
    ]


def some_cutouts() -> np.ndarray:
    """Return cutouts of noise; the network's time does not depend on what it sees."""
    return np.random.default_rng(1).integers(0, 255, (4096, 64, 64, 3), np.uint8)


def files_of(folder: Path, tile: Tile) -> list[Path]:
    """Return the tile's files, one a band."""
    return [next(folder.glob(f"{tile.name}_*_{band}.*")) for band in BANDS]


def _compressed(folder, tile, script, count) -> list[Row]:
    mine, careful = _times(folder, tile, script, count, UNITS["compressed"])
    work, paths, positions = work_on(folder), files_of(folder, tile), positions_in(tile, 5)
    ours(work, positions)
    many = positions_in(tile, count)
    alone, single = in_turns(partial(decompress, paths), partial(ours, work, many))
    (naive,) = in_turns(partial(script, paths, positions[:1]), rounds=1)
    reading, ours_few = in_turns(
        partial(read_rows, paths, positions), partial(ours, work, positions)
    )
    rate = f"{count / mine:.0f}/s"
    return [
        Row(
            f"{count} candidates a .fits.fz tile, one thread, against decompressing alone",
            f"{count / single:.0f}/s, decompressing {count / alone:.0f}/s",
            alone / single,
            0.8,
        ),
        Row(
            "the same, a thread a core as in `lsbg classify`, against the careful script",
            f"{rate}, script {count / careful:.0f}/s",
            careful / mine,
            1.7,
        ),
        Row(
            "the same, against opening the tile for each candidate",
            f"{rate}, {1 / naive:.2f}/s",
            naive / (mine / count),
            100,
        ),
        Row(
            "5 candidates a tile, against reading the rows that they need (astropy)",
            f"{ours_few * 1000:.0f} ms, reading {reading * 1000:.0f} ms",
            ours_few / reading,
            1,
            most=True,
        ),
    ]


def gain_of_decompression(paths: list[Path]) -> float:
    """Return how much faster two processes decompress two tiles than one does: at best 2."""
    with get_context("spawn").Pool(2) as pool:
        pool.map(decompress, [paths, paths], 1)  # both have started and imported all
        one, two = in_turns(
            partial(pool.map, decompress, [paths], 1),
            partial(pool.map, decompress, [paths, paths], 1),
        )
    return 2 * one / two


def _two_processes(work, tiles, candidates, gain):
    """Compare one Dask worker process with two."""
    jobs = [positions_in(tile, candidates) for tile in tiles]
    with as_the_command(work, jobs, 1) as alone, as_the_command(work, jobs, 2) as together:
        one, two = in_turns(alone, together, rounds=5)
    total = candidates * len(jobs)
    return Row(
        "1 -> 2 Dask worker processes",
        f"{total / one:.0f}/s -> {total / two:.0f}/s; decompressing alone gains {gain:.2f}",
        one / two,
        1.7,
    )
