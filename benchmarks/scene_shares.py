"""Shares of the kinds of scenes under which they look most like real cutouts to a network.

    python -m benchmarks.scene_shares WEIGHTS --scenes S.npz --real R.npy --labels L.csv --out C.csv
        [--group hard] [--bootstraps 200]

For LSBGs and for what is none apart, the mean kernel of the kinds, weighted by shares, is brought
nearest to that of the real cutouts of one group, on 48 directions of the features of a weight set:
the maximum mean discrepancy (Gretton et al. 2012, JMLR 13, 723) is least. Prints each share as it
is drawn and as it is fitted, with the 95% interval of bootstraps of the real cutouts, and the
discrepancy with both, beside that of two halves of the real cutouts. Writes the columns kind and
share, for the option --shares of benchmarks.real_weights.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.real_weights import read_labels, read_scenes
from lsbg_classifier.backend import start_backend

DIRECTIONS = 48
MOST = 4000
"""Scenes that are looked at."""


class Kernels(NamedTuple):
    """Mean kernels of kinds with kinds, shape (K, K), and with each real cutout, shape (K, N)."""

    among: np.ndarray
    across: np.ndarray
    real: np.ndarray


def gaussian(first: np.ndarray, second: np.ndarray, scale: float) -> np.ndarray:
    """Return the kernel of each of the first with each of the second."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.exp(-squares / scale)


def kernels_of(features: np.ndarray, kinds: np.ndarray, real: np.ndarray) -> Kernels:
    """Return the mean kernels; that of a kind with itself leaves out each scene with itself."""
    scale = 2 * np.mean(np.sum((features - features.mean(axis=0)) ** 2, axis=1))
    names = np.unique(kinds)
    parts = [features[kinds == name] for name in names]
    among = np.array([[gaussian(one, two, scale).mean() for two in parts] for one in parts])
    for number, part in enumerate(parts):
        count = len(part)
        among[number, number] = (among[number, number] * count - 1) / (count - 1)
    across = np.stack([gaussian(part, real, scale).mean(axis=0) for part in parts])
    return Kernels(among, across, gaussian(real, real, scale))


def fitted_shares(kernels: Kernels, rows: np.ndarray) -> np.ndarray:
    """Return the shares, none below 0 and 1 in all, that bring the kinds nearest to some rows."""
    from scipy.optimize import minimize

    across, count = kernels.across[:, rows].mean(axis=1), len(kernels.among)

    def distance(shares):
        value = shares @ kernels.among @ shares - 2 * shares @ across
        return value, 2 * (kernels.among @ shares - across)

    found = minimize(
        distance,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda s: s.sum() - 1, "jac": lambda s: np.ones(count)},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    return np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()


def discrepancy(kernels: Kernels, shares: np.ndarray) -> float:
    """Return the squared maximum mean discrepancy, without bias: about 0 for the same objects."""
    count = len(kernels.real)
    real = (kernels.real.sum() - np.trace(kernels.real)) / (count * (count - 1))
    return float(shares @ kernels.among @ shares - 2 * shares @ kernels.across.mean(axis=1) + real)


def halves(kernels: Kernels, rng: np.random.Generator) -> float:
    """Return the largest discrepancy, of 95 in 100, of two halves of the real cutouts."""
    values = []
    for _ in range(200):
        order = rng.permutation(len(kernels.real))
        one, two = np.array_split(order, 2)
        within = [
            (kernels.real[np.ix_(rows, rows)].sum() - len(rows)) / (len(rows) * (len(rows) - 1))
            for rows in (one, two)
        ]
        values.append(sum(within) - 2 * kernels.real[np.ix_(one, two)].mean())
    return float(np.quantile(values, 0.95))


def say_fit(name: str, kinds: np.ndarray, kernels: Kernels, bootstraps: int) -> dict[str, float]:
    """Fit the shares of one class, print them, and return them by kind."""
    rng, count = np.random.default_rng(1), len(kernels.real)
    names, drawn = np.unique(kinds, return_counts=True)
    before, after = drawn / drawn.sum(), fitted_shares(kernels, np.arange(count))
    again = [fitted_shares(kernels, rng.choice(count, count)) for _ in range(bootstraps)]
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    sys.stdout.write(f"\n| {name}, like {count} real ones | drawn | fitted |\n|---|---|---|\n")
    for kind, *values in zip(names, before, after, low, high, strict=True):
        sys.stdout.write("| {} | {:.2f} | {:.2f} ({:.2f}-{:.2f}) |\n".format(kind, *values))
    apart = discrepancy(kernels, before), discrepancy(kernels, after)
    sys.stdout.write("| squared discrepancy | {:.4f} | {:.4f} |\n".format(*apart))
    alike = halves(kernels, rng)
    sys.stdout.write(f"two halves of the real ones: below {alike:.4f} in 95 of 100\n")
    return dict(zip(names, after, strict=True))


def main():
    """Fit, print, and write the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    for name in ("--scenes", "--real", "--labels", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--group", default="hard")
    parser.add_argument("--bootstraps", type=int, default=200)
    options = parser.parse_args()
    start_backend()
    from lsbg_classifier import load_classifier

    classifier = load_classifier(options.weights)
    index, labels, groups = read_labels(options.labels)
    chosen = groups == options.group
    images, truth, kinds = read_scenes(options.scenes)
    rows = np.random.default_rng(1).permutation(len(images))[:MOST]
    truth, kinds = truth[rows], kinds[rows]
    features = classifier.features(images[rows])
    centre = features.mean(axis=0)
    _, sizes, axes = np.linalg.svd(features - centre, full_matrices=False)
    axes = axes[:DIRECTIONS].T / sizes[:DIRECTIONS] * np.sqrt(len(rows))
    features = (features - centre) @ axes
    real = (classifier.features(np.load(options.real)[index[chosen]]) - centre) @ axes
    shares = {}
    for label, name in ((1, "LSBGs"), (0, "what is no LSBG")):
        ours = truth == label
        kernels = kernels_of(features[ours], kinds[ours], real[labels[chosen] == label])
        shares |= say_fit(name, kinds[ours], kernels, options.bootstraps)
    with open(options.out, "w", newline="") as file:
        csv.writer(file).writerows([("kind", "share"), *shares.items()])


if __name__ == "__main__":
    main()
