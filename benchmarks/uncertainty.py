"""Whether the spread of the probability points at what is classified wrongly.

    python -m benchmarks.uncertainty FOLDER [--seeds 20301 20302 20303 20304] [--weights NAME]
        [--real CUTOUTS.npy LABELS.csv]... [--page docs/uncertainty.md]

FOLDER gets simulated surveys, one a seed, which no weights have seen; made once. Each --real adds
cutouts, uint8 of shape (N, 64, 64, 3), with a table of their labels (index, label). For each
sample: how many are wrong, the AUC of finding the wrong ones by the spread and by the closeness of
the probability to the threshold, the difference with its 95% interval, and the accuracy of what is
left once the least certain tenth is put aside by either. --page writes the table into a page.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.table import BEGIN, END
from catalogs.flags import NOT_SCORED
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from lsbg_classifier.training.assessment import LabelledCutouts
from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.training.intervals import score_differences

HEAD = (
    "cutouts", "number", "wrong", "AUC of the spread", "AUC of closeness to the threshold",
    "difference", "accuracy", "without a tenth by the spread", "by closeness",
)  # fmt: skip


def simulated(folder: Path, seeds: list[int]) -> LabelledCutouts:
    """Return the cutouts of simulated surveys, made where they are missing."""
    images, labels = [], []
    for seed in seeds:
        place = folder / str(seed)
        if not (place / "truth.fits").exists():
            simulate_survey("des", place, SurveyPlan(seed=seed), overwrite=True)
        table = Table.read(place / "candidates.fits")
        positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
        cutouts, flags = open_source(f"tiles:{place / 'tiles'}").fetch(positions)
        usable = (flags & NOT_SCORED) == 0
        images.append(cutouts[usable])
        labels.append(np.asarray(Table.read(place / "truth.fits")["LABEL"])[usable])
    return LabelledCutouts("simulated", np.concatenate(images), np.concatenate(labels))


def row_of(sample: LabelledCutouts, weights: str) -> tuple[str, ...]:
    """Measure one sample."""
    classifier = load_classifier(weights)
    threshold = classifier.card.threshold
    probability = classifier.predict(sample.images)
    spread = classifier.spread(sample.images, np.arange(len(probability)))
    wrong = (probability > threshold) != (sample.labels == 1)
    closeness = -abs(probability - threshold)
    change, low, high = score_differences(wrong, (closeness, spread))["auc"]
    left = [
        1 - wrong[np.argsort(doubt, kind="stable")[: round(0.9 * len(wrong))]].mean()
        for doubt in (spread, closeness)
    ]
    return (
        sample.name,
        str(len(wrong)),
        str(int(wrong.sum())),
        f"{judge(wrong, spread).auc:.3f}",
        f"{judge(wrong, closeness).auc:.3f}",
        f"{change:+.3f} ({low:+.3f} to {high:+.3f})",
        *(f"{value:.4f}" for value in (1 - wrong.mean(), *left)),
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the measurements as Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20301, 20302, 20303, 20304])
    parser.add_argument("--weights", default="des-simulated")
    parser.add_argument("--real", type=Path, nargs=2, action="append", default=[])
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    samples = [simulated(options.folder, options.seeds)]
    for cutouts, labels in options.real:
        read = LabelledCutouts.read(cutouts, labels)
        samples.append(LabelledCutouts(cutouts.stem, read.images, read.labels))
    text = table([row_of(sample, options.weights) for sample in samples])
    sys.stdout.write(f"{options.weights}\n{text}\n")
    if options.page:
        before, _, rest = options.page.read_text().partition(BEGIN)
        options.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
