"""Draw what a simulated sample holds, a row for each kind of object.

python -m benchmarks.sheet TRAINING OUT.png [--columns 14] [--seed 1]
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

from lsbg_classifier.training.dataset import open_dataset

KINDS = ("lsbg", "galaxy", "spiral", "elliptical", "blend", "star", "ghost")
"""What lies nearest to a candidate; an LSBG with label 0 is a fragment of one."""


def main():
    """Draw random cutouts of the test split, spare ones too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--columns", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    matplotlib.use("Agg")
    from matplotlib import pyplot

    dataset = open_dataset(options.training)
    images, labels = dataset.load("test", spare=True)
    nearest = dataset.table("test", ["nearest"], spare=True)["nearest"].to_pylist()
    nearest = np.array([name.decode() if isinstance(name, bytes) else name for name in nearest])
    rows = [("LSBG", labels == 1), ("fragment of an LSBG", (labels == 0) & (nearest == "lsbg"))]
    rows += [(kind, (labels == 0) & (nearest == kind)) for kind in KINDS[1:]]
    rng = np.random.default_rng(options.seed)
    size = (options.columns * 0.8, len(rows) * 0.95)
    figure, axes = pyplot.subplots(len(rows), options.columns, figsize=size, layout="constrained")
    for line, (name, chosen) in zip(axes, rows, strict=True):
        members = rng.permutation(np.flatnonzero(chosen))[: options.columns]
        for panel in line:
            panel.set_axis_off()
        for panel, row in zip(line, members, strict=False):
            panel.imshow(images[row])
        line[0].set_title(name, loc="left", fontsize=9)
    figure.savefig(options.figure, dpi=110)


if __name__ == "__main__":
    main()
