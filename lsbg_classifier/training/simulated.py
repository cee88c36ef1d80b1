"""Make the shipped weights again: simulate surveys, cut out their candidates, train, write a card.

Run as ``python -m lsbg_classifier.training.simulated FOLDER``. Everything follows from the seeds.
"""

import argparse
import csv
import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

import h5py
import keras
import numpy as np
from astropy.table import Table

from catalogs.flags import NOT_SCORED
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.network import build_network
from lsbg_classifier.simulation.survey import simulate_survey
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.evaluation import Scores, judge
from lsbg_classifier.weights.cards import Card

_FIRST_SEED = 1000
_BATCH = 64
_NOISE = 1.5 / 255
"""RMS of the noise added in training: about what JPEG leaves after shrinking."""


def make_sample(folder: Path, surveys: int, processes: int = 2) -> list[Path]:
    """Simulate surveys of four tiles and keep their candidates' cutouts, one file a survey.

    Each candidate is kept as the tiles show it and as the viewer's JPEG does, so that the network
    learns to give both the same probability. Surveys that are there already are not made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seeds = range(_FIRST_SEED, _FIRST_SEED + surveys)
    paths = [folder / f"survey_{seed}.npz" for seed in seeds]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_make_part, paths, seeds))
    return paths


def _make_part(path: Path, seed: int):
    if path.exists():
        return
    scratch = path.with_suffix(".scratch")
    survey = simulate_survey("des", scratch, tiles=4, seed=seed, processes=1, overwrite=True)
    candidates, truth = Table.read(survey.candidates), Table.read(survey.truth)
    positions = np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1)
    plain, flags = TileSource(survey.tiles).fetch(positions)
    jpeg, _ = TileSource(survey.tiles, jpeg=True).fetch(positions)
    usable = (flags & NOT_SCORED) == 0
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial, plain=plain[usable], jpeg=jpeg[usable], label=np.asarray(truth["LABEL"])[usable]
    )
    partial.rename(path)
    rmtree(scratch)


class CandidateBatches(keras.utils.PyDataset):
    """Shuffled batches, each cutout turned and flipped at random, plain or JPEG, with noise.

    Parameters
    ----------
    cutouts : array of uint8, shape (2, N, 64, 64, 3)
        Plain and JPEG versions.
    labels : array of int, shape (N,)
    seed : int
    """

    def __init__(self, cutouts: np.ndarray, labels: np.ndarray, seed: int):
        super().__init__()
        self._cutouts = cutouts
        self._labels = labels.astype(np.float32)
        self._rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        """Count the whole batches of an epoch."""
        return len(self._order) // _BATCH

    def __getitem__(self, index):
        """Return float32 images in [0, 1], shape (64, 64, 64, 3), and labels, (64,)."""
        rows = self._order[index * _BATCH : (index + 1) * _BATCH]
        images = self._cutouts[self._rng.integers(0, 2, len(rows)), rows]
        turns = self._rng.integers(0, 8, len(rows))
        turned = np.stack([_turn(image, turn) for image, turn in zip(images, turns, strict=True)])
        noise = self._rng.normal(0, _NOISE, turned.shape).astype(np.float32)
        return turned / np.float32(255) + noise, self._labels[rows]

    def on_epoch_end(self):
        """Shuffle: as many LSBGs as others, all of the rarer class."""
        classes = [self._rng.permutation(np.flatnonzero(self._labels == c)) for c in (0, 1)]
        each = min(len(rows) for rows in classes)
        self._order = self._rng.permutation(np.concatenate([rows[:each] for rows in classes]))


def _turn(image: np.ndarray, number: int) -> np.ndarray:
    """Apply one of the eight symmetries of the square."""
    turned = np.rot90(image, number % 4)
    return turned[:, ::-1] if number >= 4 else turned


def train(cutouts, labels, *, epochs: int, seed: int) -> keras.Model:
    """Train the network with Adam, its rate warmed up for one epoch and lowered by a cosine."""
    keras.utils.set_random_seed(seed)
    batches = CandidateBatches(cutouts, labels, seed)
    network = build_network()
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * len(batches), warmup_target=1e-3, warmup_steps=len(batches)
    )
    network.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.BinaryCrossentropy(label_smoothing=0.02),
        metrics=["accuracy"],
    )
    network.fit(batches, epochs=epochs, verbose=2)
    return network


def save_half_precision(network: keras.Model, path: Path):
    """Save the weights alone, as float16; they load into the float32 network."""
    bare = build_network()
    bare.set_weights(network.get_weights())
    bare.save_weights(path)
    with h5py.File(path) as full, h5py.File(path.with_suffix(".half"), "w") as half:
        full.visititems(lambda name, item: _copy_half(name, item, half))
    path.with_suffix(".half").rename(path)


def _copy_half(name, item, target):
    if isinstance(item, h5py.Group):
        target.require_group(name).attrs.update(item.attrs)
    else:
        narrow = np.float16 if item.dtype == np.float32 else item.dtype
        target.create_dataset(name, data=item[()].astype(narrow)).attrs.update(item.attrs)


def load_parts(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Join samples: cutouts, shape (2, N, 64, 64, 3) uint8, and labels, (N,)."""
    parts = [np.load(path) for path in paths]
    cutouts = [np.concatenate([part[kind] for part in parts]) for kind in ("plain", "jpeg")]
    return np.stack(cutouts), np.concatenate([part["label"] for part in parts])


def load_labelled(cutouts: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read cutouts (.npy) and those of their labels (.csv: index, label) that are given."""
    with open(labels, newline="") as file:
        given = [
            (int(row["index"]), int(row["label"])) for row in csv.DictReader(file) if row["label"]
        ]
    rows, values = np.array(given).T
    return np.load(cutouts)[rows], values


def write_weight_set(
    network, folder: Path, name: str, scores, *, sample: str, recipe: str, seed: int
):
    """Save a weight set that has seen simulated DES sky only, with its card."""
    weights = folder / f"{name}.weights.h5"
    save_half_precision(network, weights)
    imaging = survey_named("des").imaging()
    Card(
        name=name,
        description="DES-like cutouts (g, r, z); has seen only simulated sky, no real image",
        survey=imaging.survey,
        bands=imaging.bands,
        pixel_scale=imaging.pixel_scale,
        stretch=imaging.stretch,
        sample=sample,
        recipe=recipe,
        seed=seed,
        limitations=(
            "trained on simulated sky alone: expect lower accuracy on real images than its "
            "simulated scores say; look at what it finds, or train on your survey's own labels"
        ),
        licence="BSD-3-Clause",
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        scores=scores,
        software={package: version(package) for package in ("keras", "galsim", "sep", "numpy")},
    ).write(folder / f"{name}.json")


def _rounded(scores: Scores) -> dict[str, float]:
    return {metric: round(value, 4) for metric, value in asdict(scores).items()}


def main(arguments: list[str] | None = None):
    """Make the sample, train, judge on surveys left out, and write the weight set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where samples and weights go")
    parser.add_argument("--name", default="des-simulated", help="name of the weight set")
    parser.add_argument("--surveys", type=int, default=60, help="surveys of four tiles to simulate")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1, help="seed of the training")
    parser.add_argument(
        "--check",
        type=Path,
        nargs=2,
        metavar=("CUTOUTS.npy", "LABELS.csv"),
        help="real labelled cutouts to judge the result on; they take no part in the training",
    )
    given = parser.parse_args(arguments)
    paths = make_sample(given.folder, given.surveys)
    left_out = max(1, len(paths) // 10)
    cutouts, labels = load_parts(paths[:-left_out])
    network = train(cutouts, labels, epochs=given.epochs, seed=given.seed)
    tests = {"simulated DES, surveys not trained on": load_parts(paths[-left_out:])}
    tests = {name: (images[0], truth) for name, (images, truth) in tests.items()}
    if given.check:
        tests["real DES cutouts labelled by eye, none trained on"] = load_labelled(*given.check)
    scores = {
        name: _rounded(judge(truth, network.predict(images / np.float32(255), verbose=0)[:, 0]))
        for name, (images, truth) in tests.items()
    }
    write_weight_set(
        network,
        given.folder,
        given.name,
        scores,
        sample=f"{len(labels)} simulated DES candidates, {int(labels.sum())} of them LSBGs",
        recipe=(
            "python -m lsbg_classifier.training.simulated FOLDER "
            f"--surveys {given.surveys} --epochs {given.epochs} --seed {given.seed}"
        ),
        seed=given.seed,
    )


if __name__ == "__main__":
    main()
