"""Start, memory, speed and agreement of the engine that scores on CPUs; prints a table.

    python -m benchmarks.engine [--count 10000] [--repeats 5] [--page docs/scale.md]

Compared with Keras, and with the imports that a start cannot do without; each ratio is that of the
shortest times of runs that take turns. --page writes the table between the marks of a page.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.table import Row, markdown, write_into
from benchmarks.workers import quantum, worker_memory
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, known_weights

LSBG = Path(sys.executable).with_name("lsbg")
MEGABYTE = 1 << 10  # kilobytes, in which Linux counts


def run(*command) -> tuple[float, float]:
    """Run a process; returns its seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / MEGABYTE


def shortest(repeats: int, *ways: Callable[[], object]) -> list[float]:
    """Return the shortest time of each of some ways, which take turns."""
    times = [[] for _ in ways]
    for _ in range(repeats):
        for way, measured in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            measured.append(time.perf_counter() - start)
    return [min(measured) for measured in times]


def starts(folder: Path, repeats: int) -> list[Row]:
    """Measure what a command costs before it does anything, and for ten candidates."""
    candidates = folder / "ten.fits"
    Table.read(folder / "survey" / "candidates.fits")[:10].write(candidates, overwrite=True)
    options = ("--cutouts", f"tiles:{folder / 'survey' / 'tiles'}", "--overwrite", "--quiet")

    def classify():
        return run(LSBG, "classify", candidates, folder / "out.fits", *options)

    def load(module):
        return lambda: run(sys.executable, "-c", f"import {module}")

    classify()  # what is compiled once per installation
    ours, theirs = shortest(repeats, classify, load("tensorflow"))
    memory = max(classify()[1] for _ in range(2))
    help_time, numpy_time = shortest(2 * repeats, lambda: run(LSBG, "--help"), load("numpy"))
    return [
        worker_memory(folder / "survey"),
        quantum(folder / "survey", folder, theirs),
        Row(
            "`lsbg classify` of 10 candidates from tiles, against `import tensorflow`",
            f"{ours:.2f} s, {theirs:.2f} s",
            ours / theirs,
            0.5,
            most=True,
        ),
        Row("peak memory of that, in MB", f"{memory:.0f} MB", memory, 450, most=True),
        Row(
            "`lsbg --help`, against `import numpy`",
            f"{help_time:.2f} s, {numpy_time:.2f} s",
            help_time / numpy_time,
            4,
            most=True,
        ),
    ]


def cutouts_of_all_kinds(folder: Path, count: int) -> np.ndarray:
    """Return cutouts of simulated sky, turned and roughened, and some of noise or of one colour."""
    rng = np.random.default_rng(1)
    table = Table.read(folder / "survey" / "candidates.fits")
    positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
    sky, _ = open_source(f"tiles:{folder / 'survey' / 'tiles'}").fetch(positions)
    images = sky[rng.integers(len(sky), size=count)]
    for number in range(len(sky), count):
        turned = np.rot90(images[number], rng.integers(4))
        noise = rng.normal(0, rng.uniform(0, 12), turned.shape)
        images[number] = np.clip(turned * rng.uniform(0.5, 1.5) + noise, 0, 255)
    images[::20] = rng.integers(0, 256, images[::20].shape)
    images[10::20] = rng.integers(0, 256, (len(images[10::20]), 1, 1, 3))
    return images


def agreement(images: np.ndarray) -> Row:
    """Measure the largest difference in probability, over all shipped sets."""
    differences = {}
    for name in sorted(known_weights()):
        one, other = (load_classifier(name, engine=engine) for engine in ("onnx", "keras"))
        differences[name] = float(abs(one.predict(images) - other.predict(images)).max())
    measured = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
    what = f"largest difference in probability to Keras, {len(images)} cutouts"
    return Row(what, measured, max(differences.values()), 1e-5, most=True)


def speed(images: np.ndarray, repeats: int) -> Row:
    """Measure how fast cutouts are scored."""
    ours = load_classifier(DEFAULT_WEIGHTS, engine="onnx")
    network = load_classifier(DEFAULT_WEIGHTS, engine="keras").engine.network

    def keras():
        return network.predict(images / np.float32(255), batch_size=32, verbose=0)

    ours.predict(images[:64]), keras()
    times = shortest(repeats, lambda: ours.predict(images), keras)
    rates = [len(images) / seconds for seconds in times]
    return Row(
        "`Classifier.predict` against `keras.Model.predict`, batches of 32",
        f"{rates[0]:.0f} and {rates[1]:.0f} cutouts/s",
        rates[0] / rates[1],
        2.5,
    )


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="Cutouts that are compared.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--page", type=Path, help="Page with marks, which gets the table.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_survey("des", folder / "survey", SurveyPlan(tiles=1, tile_size=2000, seed=7))
        rows = starts(folder, options.repeats)
        images = cutouts_of_all_kinds(folder, options.count)
        rows += [speed(images[:2000], options.repeats), agreement(images)]
    sys.stdout.write(f"{markdown(rows)}\n")
    if options.page:
        write_into(options.page, rows)


if __name__ == "__main__":
    main()
