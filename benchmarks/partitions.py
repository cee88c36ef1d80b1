"""Partitions read and written by one and by two workers, and the memory of the command.

    python -m benchmarks.partitions [--millions 3] [--columns 40] [--files 200] [--large 30]

`--millions` rows in `--files` Parquet files are hashed and planned, and written, by one worker and
by two, in turns. The command is run over that catalog, and with `--large` over one of so many
million rows, all of which are selected; its own memory, without the workers', is compared. The disk
must hold each catalog twice: 0.2 GB for a million rows of 40 columns, times two.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.table import Row, markdown, write_into
from catalogs.partitions import Annotation, Partition, partitions_of
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from pipeline.job import Job, prepare
from pipeline.options import Options
from pipeline.partitions.dispatcher import Dispatcher, opened_dispatcher
from pipeline.partitions.survey import survey_partitions
from pipeline.partitions.tasks import Writing, write
from pipeline.results import RowValues

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- partitions: begin -->", "<!-- partitions: end -->"
ROUNDS = 3
"""How often one worker and two are timed, in turns; the medians count."""

_COMMAND = """
import atexit, re
def peak():
    print(re.search("VmHWM:.*", open("/proc/self/status").read())[0])
atexit.register(peak)
from pipeline.cli import main
main()
"""
"""The command, which says at its end what memory it took."""


def write_catalog(folder: Path, rows: int, columns: int, files: int) -> Path:
    """Write positions on no tile and columns of noise, as a folder of Parquet files."""
    folder.mkdir()
    edges = np.linspace(0, rows, files + 1).astype(int).tolist()
    for number, (start, stop) in enumerate(pairwise(edges)):
        rng, count = np.random.default_rng(number), stop - start
        table = {
            "id": np.arange(start, stop),
            "ra": rng.uniform(100, 120, count),
            "dec": rng.uniform(-60, -40, count),
        }
        for column in range(columns - len(table)):
            table[f"value{column}"] = rng.normal(0, 1, count).astype(np.float32)
        pq.write_table(pa.table(table), folder / f"part{number:05d}.parquet")
    return folder


@contextmanager
def working(
    catalog: Path, output: Path, tiles: Path, workers: int
) -> Iterator[tuple[Job, Dispatcher]]:
    """Give a job, and workers that have started and opened the source."""
    job = prepare(catalog, output, Options(f"tiles:{tiles}", workers=workers))
    with opened_dispatcher(job) as dispatcher:
        survey_partitions(job, partitions_of(job.catalog)[: 2 * workers], dispatcher)
        yield job, dispatcher


def plan_seconds(job: Job, dispatcher: Dispatcher) -> float:
    """Time the hashing and planning of all files."""
    start = time.perf_counter()
    survey_partitions(job, partitions_of(job.catalog), dispatcher)
    return time.perf_counter() - start


def write_seconds(job: Job, dispatcher: Dispatcher, folder: Path) -> float:
    """Time the writing of all files with scores for all rows."""
    partitions = partitions_of(job.catalog)
    folder.mkdir()
    provenance = job.provenance("2026-01-01").as_mapping()
    writing = Writing(folder, folder / "drafts", Annotation(job.columns, provenance), 0.5)
    calls = ((n, partition, writing, _scores(partition)) for n, partition in enumerate(partitions))
    start = time.perf_counter()
    for _ in dispatcher.each(write, calls):
        pass
    took = time.perf_counter() - start
    shutil.rmtree(folder)
    return took


def _scores(partition: Partition) -> RowValues:
    probability = np.linspace(0, 1, partition.rows, dtype=np.float32)
    flags = np.zeros(partition.rows, np.int16)
    return RowValues(partition.rows, None, {"probability": probability, "flags": flags})


def measure_speed(catalog: Path, tiles: Path, scratch: Path) -> dict[str, dict[int, float]]:
    """Return the median seconds of planning and of writing, by one worker and by two."""
    seconds: dict[str, dict[int, list[float]]] = {
        step: {1: [], 2: []} for step in ("hashing and planning", "writing")
    }
    with ExitStack() as stack:
        crews = {
            count: stack.enter_context(working(catalog, scratch / "out", tiles, count))
            for count in (1, 2)
        }
        for number in range(ROUNDS):
            for workers in (1, 2) if number % 2 else (2, 1):
                job, dispatcher = crews[workers]
                seconds["hashing and planning"][workers].append(plan_seconds(job, dispatcher))
                os.sync()  # what is still to be written would slow down what is timed
                took = write_seconds(job, dispatcher, scratch / "written")
                seconds["writing"][workers].append(took)
                os.sync()
    return {
        step: {workers: float(np.median(each)) for workers, each in by_workers.items()}
        for step, by_workers in seconds.items()
    }


def command_memory(catalog: Path, output: Path, tiles: Path) -> tuple[float, float]:
    """Run the command with two workers; its own peak memory in megabytes, and seconds."""
    command = [sys.executable, "-c", _COMMAND, "classify", catalog, output, "--quiet"]
    command += ["--cutouts", f"tiles:{tiles}", "--workers", "2"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - start
    shutil.rmtree(output)
    return int(done.stdout.split()[-2]) / 1024, took


def measure(scratch: Path, options: argparse.Namespace) -> list[Row]:
    """Measure all, as rows of the table."""
    survey = simulate_survey("des", scratch / "survey", SurveyPlan(tiles=1, tile_size=1000, seed=1))
    shape = options.columns, options.files
    millions = options.millions
    catalog = write_catalog(scratch / "catalog", int(millions * 1e6), *shape)
    rows = []
    for step, seconds in measure_speed(catalog, survey.tiles, scratch).items():
        rate = round(millions * 1e6 / seconds[1], -3)
        rows.append(
            Row(
                f"{step} {millions:g} million rows x {options.columns} columns in "
                f"{options.files} files, 1 -> 2 workers",
                f"{seconds[1]:.1f} s -> {seconds[2]:.1f} s; one worker {rate:,.0f} rows/s",
                seconds[1] / seconds[2],
                1.6,
            )
        )
    if not options.large:
        return rows
    few, _ = command_memory(catalog, scratch / "out", survey.tiles)
    shutil.rmtree(catalog)
    large = write_catalog(scratch / "large", int(options.large * 1e6), *shape)
    many, took = command_memory(large, scratch / "out", survey.tiles)
    rows.append(
        Row(
            f"memory of the command with {options.large:g} million rows, all selected, more than "
            f"with {millions:g} million, in MB",
            f"{many:.0f} MB, {few:.0f} MB; {took:.0f} s",
            many - few,
            100,
            most=True,
        )
    )
    return rows


def main():
    """Measure, print the table, and write it into the page when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=3, help="Millions of rows.")
    parser.add_argument("--large", type=float, default=0, help="Millions of rows for memory.")
    parser.add_argument("--columns", type=int, default=40, help="Columns of the catalog.")
    parser.add_argument("--files", type=int, default=200, help="Files of the catalog.")
    parser.add_argument("--write", action="store_true", help="Rewrite the table in docs/scale.md.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options)
    sys.stdout.write(f"{markdown(rows)}\n")
    if options.write:
        write_into(PAGE, rows, (BEGIN, END))


if __name__ == "__main__":
    main()
