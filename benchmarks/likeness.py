"""How well a small network tells simulated cutouts from real ones, and what gives them away.

    python -m benchmarks.likeness REAL.npy SIMULATED OUT [--folds 5] [--epochs 40] [--seed 1]
        [--rejects LABELS.csv]

REAL.npy holds real cutouts, uint8 of shape (N, 64, 64, 3); SIMULATED is the folder of a training
on simulated sky, of whose test split as many are drawn, or the .npz file of scenes that
benchmarks.real_weights writes. With --rejects, what is no LSBG alone is compared, as the columns
index and label of LABELS.csv say of the real ones. Prints the cross-validated AUC, 0.5 where
they cannot be told apart, and draws OUT/sheet.png: random ones of both kinds, and those of each
kind that the network is surest of.
"""

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.real_weights import read_labels, read_scenes
from lsbg_classifier.backend import start_backend
from lsbg_classifier.training.dataset import open_dataset
from lsbg_classifier.training.intervals import scores_with_intervals
from lsbg_classifier.training.studies import deal_folds

COLUMNS = 12


def small_network(seed: int):
    """Build a Keras network of three convolutions, compiled."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    blocks = [
        layer
        for filters in (16, 32, 48)
        for layer in (
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
        )
    ]
    network = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(seed=seed),
            *blocks,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    return network


def probabilities_of_real(images, real, folds: int, epochs: int, seed: int) -> np.ndarray:
    """Return each cutout's probability of being real, by a network that has not seen it."""
    fold = deal_folds(real, folds, seed)
    found = np.empty(len(real))
    for number in range(folds):
        network = small_network(seed + number)
        inside = fold != number
        network.fit(images[inside], real[inside], epochs=epochs, batch_size=32, verbose=0)
        found[~inside] = network.predict(images[~inside], verbose=0)[:, 0]
    return found


def draw(images, real, probabilities, path: Path, seed: int):
    """Draw four rows: random ones of each kind, and those most surely recognised."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rng = np.random.default_rng(seed)
    rows = []
    for kind, name, sign in ((1, "real", -1), (0, "simulated", 1)):
        members = np.flatnonzero(real == kind)
        order = members[np.argsort(sign * probabilities[members])]
        rows += [(f"{name}, random", rng.choice(members, 2 * COLUMNS, replace=False))]
        rows += [(f"{name}, most surely", order[: 2 * COLUMNS])]
    figure, axes = pyplot.subplots(
        len(rows) * 2, COLUMNS, figsize=(COLUMNS, 2.2 * len(rows)), layout="constrained"
    )
    for number, (name, chosen) in enumerate(rows):
        for panel, row in zip(axes[2 * number : 2 * number + 2].ravel(), chosen, strict=True):
            panel.imshow(images[row])
            panel.set_axis_off()
        axes[2 * number, 0].set_title(name, loc="left", fontsize=9)
    figure.savefig(path, dpi=100)


def simulated(path: Path, rejects: bool) -> np.ndarray:
    """Return the simulated cutouts, or those of them that are no LSBGs."""
    if path.suffix == ".npz":
        images, labels, _ = read_scenes(path)
    else:
        images, labels = open_dataset(path).load("test")
    return images[labels == 0] if rejects else images


def main():
    """Train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("simulated", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rejects", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start_backend()
    theirs, ours = np.load(options.real), simulated(options.simulated, options.rejects is not None)
    if options.rejects is not None:
        index, labels, _ = read_labels(options.rejects)
        theirs = theirs[index[labels == 0]]
    rng = np.random.default_rng(options.seed)
    ours = ours[rng.permutation(len(ours))[: len(theirs)]]
    images = np.concatenate([theirs, ours])
    real = np.repeat([1, 0], [len(theirs), len(ours)])
    found = probabilities_of_real(images, real, options.folds, options.epochs, options.seed)
    auc, low, high = scores_with_intervals(real, found)["auc"]
    options.out.mkdir(parents=True, exist_ok=True)
    draw(images, real, found, options.out / "sheet.png", options.seed)
    sys.stdout.write(f"{len(theirs)} real and {len(ours)} simulated cutouts: AUC {auc:.3f} ")
    sys.stdout.write(f"({low:.3f}-{high:.3f})\nwrote {options.out / 'sheet.png'}\n")


if __name__ == "__main__":
    main()
