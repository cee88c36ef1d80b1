"""Ten million rows of which a cut keeps one in a thousand: what we add to reading and writing.

    python -m benchmarks.catalogs [--formats ".fits .csv"] [--rows 10000000]

Prints rows of the table in docs/scale.md. A catalog of ten million rows takes up to 2 GB of disk,
and as much again for each copy of it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fitsio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks.table import Row, markdown
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey

KEPT = 1000
"""One row in so many passes the published DES cut."""

_BLOCK = 1_000_000

_COMMAND = """
import atexit, re
def peak():
    print(re.search("VmHWM:.*", open("/proc/self/status").read())[0])
atexit.register(peak)
from pipeline.cli import main
main()
"""
"""The command, which says at its end what memory it took; Linux counts the parent's otherwise."""


def block_of(start: int, stop: int) -> dict[str, np.ndarray]:
    """Make rows of a SourceExtractor catalog with the columns of the DES cut, and some more."""
    rng = np.random.default_rng(start)
    count = stop - start
    candidate = np.arange(start, stop) % KEPT == 0
    columns = {
        "COADD_OBJECT_ID": np.arange(start, stop, dtype=np.int64),
        "ALPHA_J2000": rng.uniform(100, 120, count),
        "DELTA_J2000": rng.uniform(-60, -40, count),
        "SPREAD_MODEL_I": np.where(candidate, 0.02, -0.01),
        "SPREADERR_MODEL_I": np.full(count, 1e-4),
        "MU_MEAN_MODEL_G": np.full(count, 25.0),
        "A_IMAGE": np.full(count, 8.0),
        "B_IMAGE": np.full(count, 6.0),
        "FLAGS": rng.integers(0, 4, count).astype(np.int16),
    }
    for band, magnitude in (("G", 20.0), ("R", 19.6), ("I", 19.4)):
        columns[f"MAG_AUTO_{band}"] = np.full(count, magnitude) + rng.normal(0, 0.02, count)
        columns[f"FLUX_RADIUS_{band}"] = np.full(count, 14.0) + rng.normal(0, 0.2, count)
        columns[f"MU_EFF_MODEL_{band}"] = rng.normal(25, 0.5, count)
    return {
        name: values.astype(np.float32) if values.dtype == float and "2000" not in name else values
        for name, values in columns.items()
    }


def write_parquet(path: Path, rows: int):
    """Write the catalog as Parquet."""
    writer = None
    for start in range(0, rows, _BLOCK):
        table = pa.table(block_of(start, min(start + _BLOCK, rows)))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def write_fits(path: Path, rows: int):
    """Write the catalog as a FITS table."""
    with fitsio.FITS(path, "rw", clobber=True) as file:
        for start in range(0, rows, _BLOCK):
            columns = block_of(start, min(start + _BLOCK, rows))
            kinds = [(name, values.dtype) for name, values in columns.items()]
            block = np.empty(len(next(iter(columns.values()))), kinds)
            for name, values in columns.items():
                block[name] = values
            file[-1].append(block) if start else file.write(block, extname="OBJECTS")


def write_csv(path: Path, rows: int):
    """Write the catalog as CSV."""
    writer = None
    for start in range(0, rows, _BLOCK):
        table = pa.table(block_of(start, min(start + _BLOCK, rows)))
        writer = writer or csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def copy_csv(path: Path, output: Path):
    """Read and write it with pyarrow.csv alone."""
    csv.write_csv(csv.read_csv(path), output)


def copy_parquet(path: Path, output: Path):
    """Read and write it with pyarrow alone."""
    pq.write_table(pq.read_table(path), output)


def copy_fits(path: Path, output: Path):
    """Copy it with two more columns by fitsio."""
    with fitsio.FITS(path) as source, fitsio.FITS(output, "rw", clobber=True) as target:
        rows = source[1].get_nrows()
        for start in range(0, rows, _BLOCK):
            block = source[1][start : min(start + _BLOCK, rows)]
            kinds = [*block.dtype.descr, ("P_LSBG", "f4"), ("FLAGS_LSBG", "i2")]
            wider = np.zeros(len(block), kinds)
            for name in block.dtype.names:
                wider[name] = block[name]
            target[-1].append(wider) if start else target.write(wider)


def classify(path: Path, output: Path, tiles: Path) -> tuple[float, float]:
    """Run the command with the DES cut; seconds, and peak memory in megabytes."""
    command = [sys.executable, "-c", _COMMAND, "classify", path, output]
    command += ["--cutouts", f"tiles:{tiles}", "--select", "des", "--quiet"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - start
    return took, int(done.stdout.split()[-2]) / 1024


def _seconds_of(copy, path: Path, output: Path) -> float:
    """Time a copy, and remove it."""
    os.sync()
    start = time.perf_counter()
    copy(path, output)
    took = time.perf_counter() - start
    output.unlink()
    return took


@dataclass(frozen=True)
class Format:
    """A format that is measured.

    Attributes
    ----------
    write, copy : callable
        Makes a catalog of so many rows; reads and writes it without our work.
    said : str
        What `copy` does.
    bar : float
        How many times longer than that we may take.
    """

    write: Callable[[Path, int], None]
    copy: Callable[[Path, Path], None]
    said: str
    bar: float


FORMATS = {
    ".parquet": Format(write_parquet, copy_parquet, "reading and writing with pyarrow", 3),
    ".fits": Format(write_fits, copy_fits, "copying with two more columns by fitsio", 3),
    ".csv": Format(write_csv, copy_csv, "reading and writing with pyarrow.csv", 4),
}
"""The formats by their endings."""


def measure(
    folder: Path, tiles: Path, rows: int = 10_000_000, endings: Sequence[str] = tuple(FORMATS)
) -> list[Row]:
    """Measure formats; the candidates that are kept lie on none of the tiles."""
    return [row for ending in endings for row in _measured(folder, tiles, rows, ending)]


def _measured(folder: Path, tiles: Path, rows: int, ending: str) -> list[Row]:
    """Measure one format: its time beside a bare copy, and its memory beside that of few rows."""
    known = FORMATS[ending]
    few, many, output = (folder / f"{name}{ending}" for name in ("few", "many", "out"))
    known.write(few, 100_000)
    known.write(many, rows)
    _, least = classify(few, output, tiles)
    output.unlink()
    before = _seconds_of(known.copy, many, output)
    os.sync()  # what is still to be written would slow down what is timed
    took, most = classify(many, output, tiles)
    output.unlink()
    bare = (before + _seconds_of(known.copy, many, output)) / 2
    for path in (few, many):
        path.unlink()
    what = f"{rows} rows of {ending} with `--select des`, against {known.said}"
    memory = "the same, peak memory more than with 100,000 rows, in MB"
    times = f"{took:.1f} s, bare {bare:.1f} s"
    return [
        Row(what, times, took / bare, known.bar, most=True),
        Row(memory, f"{most:.0f} MB, {least:.0f} MB", most - least, 300, most=True),
    ]


def main():
    """Measure, and print the rows of the table in docs/scale.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", default=" ".join(FORMATS), help="Endings, between blanks.")
    parser.add_argument("--rows", type=int, default=10_000_000, help="Rows of the large catalogs.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan = SurveyPlan(tiles=1, tile_size=1000, seed=1)
        survey = simulate_survey("des", Path(folder) / "survey", plan)
        rows = measure(Path(folder), survey.tiles, options.rows, options.formats.split())
    sys.stdout.write(f"{markdown(rows)}\n")


if __name__ == "__main__":
    main()
