"""Time of a training step against Keras alone, and the memory of a training on 40,000 cutouts.

    python -m benchmarks.training [--cutouts 2048] [--rounds 5]

Prints a Markdown table. The ratio compares the recipe of DES by `recipes.train` with `model.fit`
on the same network, cutouts and batches, in turns in one process; each number is the median over
the rounds. Time on the clock changes with what else runs on the machine; the processors' own time,
of all threads together, hardly does.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lsbg_classifier.backend import start_backend

WHOLE_SAMPLE = 40_000


def random_cutouts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make cutouts of noise and labels: the time of a step does not depend on what is seen."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 255, (count, 64, 64, 3), np.uint8), rng.integers(0, 2, count)


def seconds_a_step(count: int, rounds: int) -> np.ndarray:
    """Return the seconds of a step: by `train` and by Keras alone, clock and processors; (2, 2)."""
    import keras

    from lsbg_classifier.network import build_network
    from lsbg_classifier.training.batches import TrainingSample
    from lsbg_classifier.training.recipes import DES, train

    images, labels = random_cutouts(count)
    scaled = images / np.float32(255)
    steps = -(-count // DES.batch)
    one_epoch = replace(DES, epochs=1)
    ours, bare = build_network(), build_network()
    times = []
    for number in range(rounds + 1):
        start = _now()
        train(ours, TrainingSample(images, labels), one_epoch, seed=number)
        middle = _now()
        bare.compile(keras.optimizers.Adadelta(0.1), "binary_crossentropy", metrics=["accuracy"])
        bare.fit(scaled, labels, batch_size=DES.batch, verbose=0)
        times.append([middle - start, _now() - middle])
    return np.median(times[1:], axis=0) / steps  # the first round compiles


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def megabytes_of_a_training() -> float:
    """Return the peak memory of a process that loads 40,000 cutouts and begins to train."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.training", "--memory", folder],
            check=True,
            capture_output=True,
            text=True,
        )
    return float(done.stdout.split()[-1])


def train_whole_sample(folder: Path):
    """Write a dataset of 40,000 cutouts, load it, train for some steps, say the peak memory."""
    start_backend()
    from lsbg_classifier.network import build_network
    from lsbg_classifier.surveys import survey_named
    from lsbg_classifier.training.batches import TrainingSample
    from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim
    from lsbg_classifier.training.dataset_parts import part_path, write_part
    from lsbg_classifier.training.recipes import DES, train

    part = WHOLE_SAMPLE // 40
    claim(folder, Manifest("noise", "", "benchmark", survey_named("des").imaging(), 40))
    for number in range(40):
        images, labels = random_cutouts(part)
        columns = {
            "label": labels.astype(np.int8),
            "flags": np.zeros(part, np.int16),
            "split": np.full(part, "train", object),
        }
        write_part(part_path(folder, number), columns, images)
    images, labels = CutoutDataset(folder).load("train")
    some = slice(20 * DES.batch)
    sample = TrainingSample(images[some], labels[some])
    train(build_network(), sample, replace(DES, epochs=1), seed=1)
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    sys.stdout.write(f"{int(peak[1]) / 1024}\n")  # getrusage counts the parent's, too


def main():
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cutouts", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        train_whole_sample(options.memory)
        return
    start_backend()
    ours, bare = seconds_a_step(options.cutouts, options.rounds)
    lines = ["| what | ours | Keras alone | ratio | bar |", "|---|---|---|---|---|"]
    for what, own, alone in zip(("clock", "processors"), 1000 * ours, 1000 * bare, strict=True):
        said = f"{own:.0f} ms | {alone:.0f} ms | {own / alone:.3f}"
        lines.append(f"| step of 64, time of the {what} | {said} | 1.0 |")
    peak = f"{megabytes_of_a_training():.0f} MB"
    lines.append(f"| peak memory, {WHOLE_SAMPLE} cutouts | {peak} | | | 2000 MB |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
