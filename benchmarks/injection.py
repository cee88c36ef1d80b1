"""Mocks in a tile of survey size: time against decompression and compression, and memory.

    python -m benchmarks.injection [--mocks 1000] [--size 10000] [--write]

The tile is made first, in a process of its own; all files are deleted at the end, when it is
interrupted too. The disk must hold 1 GB for 10,000 x 10,000 pixels.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.table import Row, markdown, write_into
from lsbg_classifier.injection.mocks import read_mocks
from lsbg_classifier.injection.placement import Placement
from lsbg_classifier.injection.psf import PsfChoice
from lsbg_classifier.injection.tiles import Request, make_mocks, write_tile
from lsbg_classifier.simulation.coadds import BANDS, Tile
from lsbg_classifier.simulation.coadds import write_tile as write_coadd
from lsbg_classifier.tile_images import TileSet

PAGE = Path(__file__).parents[1] / "docs" / "completeness.md"
_SCALE = 0.263


def make_tile(folder: Path, size: int):
    """Write a tile of noise like that of DES."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    tile = Tile("des", "DES0100-4000", 15.0, -40.0, size, np.random.SeedSequence(1))
    shape = (len(BANDS), size, size)
    images = rng.standard_normal(shape, np.float32) * 2
    write_coadd(folder, tile, images, np.ones(shape, bool), np.full(shape, 2, np.float32))


def time_of_astropy(tiles: Path, copy: Path) -> float:
    """Return the seconds to decompress and compress all bands of the tile."""
    start = time.perf_counter()
    for path in sorted(tiles.glob("*.fz")):
        with fits.open(path) as hdus:
            image = fits.CompImageHDU(
                hdus[1].data, hdus[1].header, quantize_method=2, dither_seed=1, quantize_level=16
            )
            image.writeto(copy, overwrite=True)
    return time.perf_counter() - start


def time_of_injection(tiles: Path, output: Path, mocks: int, size: int) -> float:
    """Return the seconds to inject mocks into the tile, and check that all have found room."""
    area = (size * _SCALE / 60) ** 2
    asked = Request(read_mocks("des"), Placement(mocks / area), PsfChoice.of_text("1.1"))
    (tile,) = TileSet(tiles).tiles
    output.mkdir(exist_ok=True)
    start = time.perf_counter()
    made = make_mocks(tile, asked)
    write_tile(tile, made, output, asked)
    seconds = time.perf_counter() - start
    if len(made.truth) != mocks:
        raise RuntimeError(f"{len(made.truth)} mocks have found room, not {mocks}")
    return seconds


def measure(folder: Path, mocks: int, size: int) -> list[Row]:
    """Measure time and memory; injection goes first, so that the peak is its own."""
    tiles = folder / "tiles"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    ours = time_of_injection(tiles, folder / "injected", mocks, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    theirs = time_of_astropy(tiles, folder / "copy.fits")
    what = f"{mocks:,} mocks in {size:,} x {size:,} pixels of {len(BANDS)} bands"
    times = f"{ours:.0f} s; decompressing and compressing by astropy: {theirs:.0f} s"
    return [
        Row(f"{what}: time", times, ours / theirs, 3, most=True),
        Row(f"{what}: memory", f"{peak:.2f} GB at most, {before:.2f} before", peak, 2, most=True),
    ]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--mocks", type=int, default=1000)
    made.add_argument("--size", type=int, default=10_000, help="Pixels on a side of the tile.")
    made.add_argument("--scratch", type=Path, help="Folder for the files, which are deleted.")
    made.add_argument("--write", action="store_true", help=f"Rewrite the table in {PAGE.name}.")
    return made


def main():
    """Measure, print the table, and write it into the page when asked to."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the files are deleted
    with tempfile.TemporaryDirectory(prefix="injection-", dir=options.scratch) as scratch:
        folder = Path(scratch)
        making = get_context("spawn").Process(
            target=make_tile, args=(folder / "tiles", options.size)
        )
        making.start()  # what it takes of memory is not that of the injection
        making.join()
        rows = measure(folder, options.mocks, options.size)
    sys.stdout.write(f"{markdown(rows)}\n")
    if options.write:
        write_into(PAGE, rows)


if __name__ == "__main__":
    main()
