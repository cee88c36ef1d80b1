"""Partitions read and written by one and by two workers, and the memory of the command.

    python -m benchmarks.partitions [--only speed,memory] [--millions 30] [--few 3] [--columns 40]
        [--wide 1000]

`--millions` rows in `--files` Parquet files are hashed and planned, and written, by one worker and
by two, in turns; so are as many values in a table of `--wide` columns. The command is run over a
catalog of `--few` million rows and over that of `--millions`, all of which are selected; its own
memory, without the workers', is compared. From the rates follows what a billion rows take. The disk
must hold a catalog twice: 0.2 GB for a million rows of 40 columns, times two. All files are deleted
at the end, when it is interrupted too.
"""

import argparse
import os
import shutil
import signal
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

from benchmarks.estimates import Rates, estimate, scoring_rate
from benchmarks.table import Row, markdown
from catalogs.partitions import Annotation, Partition, partitions_of
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from pipeline.job import Job, prepare
from pipeline.options import Options
from pipeline.partitions.dispatcher import Dispatcher, opened_dispatcher
from pipeline.partitions.survey import survey_partitions
from pipeline.partitions.tasks import Writing, write
from pipeline.results import RowValues

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
PLANNING, WRITING = "hashing and planning", "writing"

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


def measure_speed(
    catalog: Path, tiles: Path, scratch: Path, rounds: int
) -> dict[str, dict[int, float]]:
    """Return the median seconds of planning and of writing, by one worker and by two."""
    seconds: dict[str, dict[int, list[float]]] = {
        step: {1: [], 2: []} for step in (PLANNING, WRITING)
    }
    with ExitStack() as stack:
        crews = {
            count: stack.enter_context(working(catalog, scratch / "out", tiles, count))
            for count in (1, 2)
        }
        for number in range(rounds):
            for workers in (1, 2) if number % 2 else (2, 1):
                job, dispatcher = crews[workers]
                seconds[PLANNING][workers].append(plan_seconds(job, dispatcher))
                os.sync()  # what is still to be written would slow down what is timed
                took = write_seconds(job, dispatcher, scratch / "written")
                seconds[WRITING][workers].append(took)
                os.sync()
    return {
        step: {workers: float(np.median(each)) for workers, each in by_workers.items()}
        for step, by_workers in seconds.items()
    }


def command_memory(catalog: Path, output: Path, tiles: Path) -> float:
    """Run the command with two workers; its own peak memory in megabytes."""
    command = [sys.executable, "-c", _COMMAND, "classify", catalog, output, "--quiet"]
    command += ["--cutouts", f"tiles:{tiles}", "--workers", "2"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(output)
    return int(done.stdout.split()[-2]) / 1024


def speed_rows(seconds: dict[str, dict[int, float]], rows: int, what: str) -> list[Row]:
    """Return a row of the table for each step."""
    return [
        Row(
            f"{step} {what}, 1 -> 2 workers",
            f"{took[1]:.1f} s -> {took[2]:.1f} s; two workers {rows / took[2]:,.0f} rows/s",
            took[1] / took[2],
            1.6,
        )
        for step, took in seconds.items()
    ]


def measure_catalog(
    scratch: Path, tiles: Path, rows: int, columns: int, options: argparse.Namespace
) -> tuple[list[Row], Rates]:
    """Measure the speed with a catalog."""
    catalog = write_catalog(scratch / "catalog", rows, columns, options.files)
    size = sum(path.stat().st_size for path in catalog.iterdir())
    seconds = measure_speed(catalog, tiles, scratch, options.rounds)
    shutil.rmtree(catalog)
    what = f"{rows / 1e6:g} million rows x {columns:,} columns in {options.files} files"
    rates = Rates(columns, size / rows, rows / seconds[PLANNING][2], rows / seconds[WRITING][2])
    return speed_rows(seconds, rows, what), rates


def speed(scratch: Path, tiles: Path, options: argparse.Namespace) -> str:
    """Measure a narrow and a wide catalog: a table, and the estimate that follows."""
    rows = round(options.millions * 1e6)
    narrow, few = measure_catalog(scratch, tiles, rows, options.columns, options)
    rows = rows * options.columns // options.wide
    wide, many = measure_catalog(scratch, tiles, rows, options.wide, options)
    return f"{markdown(narrow + wide)}\n\n{estimate([few, many], scoring_rate(PAGE))}"


def memory(scratch: Path, tiles: Path, options: argparse.Namespace) -> str:
    """Compare the memory of the command with few rows and with many: a table."""
    megabytes = []
    for millions in (options.few, options.millions):
        rows = round(millions * 1e6)
        catalog = write_catalog(scratch / "catalog", rows, options.columns, options.files)
        megabytes.append(command_memory(catalog, scratch / "out", tiles))
        shutil.rmtree(catalog)
    few, many = megabytes
    what = (
        f"memory of the command with {options.millions:g} million rows, all selected, more than "
        f"with {options.few:g} million, in MB"
    )
    measured = f"{many:.0f} MB, {few:.0f} MB"
    return markdown([Row(what, measured, many - few, 100, most=True)])


PARTS = {"speed": speed, "memory": memory}


def write_page(part: str, text: str):
    """Put a text between the two marks of a part on the page."""
    begin, end = (f"<!-- partitions, {part}: {edge} -->" for edge in ("begin", "end"))
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--only", default=",".join(PARTS), help="Parts, separated by commas.")
    made.add_argument("--millions", type=float, default=30, help="Millions of rows.")
    made.add_argument("--few", type=float, default=3, help="Millions of rows to compare with.")
    made.add_argument("--columns", type=int, default=40, help="Columns of the catalog.")
    made.add_argument("--wide", type=int, default=1000, help="Columns of the wide catalog.")
    made.add_argument("--files", type=int, default=200, help="Files of each catalog.")
    made.add_argument("--rounds", type=int, default=3, help="How often both are timed, in turns.")
    made.add_argument("--scratch", type=Path, help="Folder for the files, which are deleted.")
    made.add_argument("--write", action="store_true", help="Rewrite the tables in docs/scale.md.")
    return made


def main():
    """Measure, print the tables, and write them into the page when asked to."""
    options = parser().parse_args()
    wanted = options.only.split(",")
    if not set(wanted) <= set(PARTS):
        sys.exit(f"--only takes {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the files are deleted
    scoring_rate(PAGE)  # fails now rather than at the end
    with tempfile.TemporaryDirectory(prefix="partitions-", dir=options.scratch) as folder:
        scratch = Path(folder)
        plan = SurveyPlan(tiles=1, tile_size=1000, seed=1)
        survey = simulate_survey("des", scratch / "survey", plan)
        for part in wanted:
            text = PARTS[part](scratch, survey.tiles, options)
            sys.stdout.write(f"{text}\n\n")
            if options.write:
                write_page(part, text)


if __name__ == "__main__":
    main()
