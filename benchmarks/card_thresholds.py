"""What each threshold of a weight set keeps and takes, measured and written on its card.

    python -m benchmarks.card_thresholds WEIGHTS [--real R.npy --labels L.csv]
        [--fitted SCALE OFFSET] [--survey results/a/cutouts/part-00000.parquet] [--write]

R.npy and L.csv are labelled real cutouts as for `benchmarks.real_weights`; those of the group
`random` are taken. Where `blend` has fitted the last layer to them, --fitted names the scale and
the offset that it printed: they are taken back, and fitted again to four folds at a time. The
survey is a part of a simulated sample that no network was trained on. --write puts the tables, and
scores of the survey where the card has none, on the card beside the weights.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.real_weights import cross_validated, in_groups, read_labels
from lsbg_classifier.backend import start_backend

RANDOM = "random draws of the published DES sample, none trained on"
RANDOM_FITTED = "random draws of the published DES sample, last layer cross-validated in 5 folds"
SURVEY = "a simulated DES survey not trained on (the first of those in docs/results.md)"


def on_real(classifier, options) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the name of the sample, labels and probabilities of the random draws."""
    from lsbg_classifier.calibration import logit

    index, labels, groups = read_labels(options.labels)
    chosen = in_groups(groups, ["random"], options.labels)
    found = classifier.predict(np.load(options.real)[index[chosen]])
    if options.fitted is None:
        return RANDOM, labels[chosen], found
    scale, offset = options.fitted
    bare = (logit(found) - offset) / scale
    return RANDOM_FITTED, labels[chosen], cross_validated(bare, labels[chosen])


def on_survey(classifier, part: Path) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the name of the sample, labels and probabilities of a simulated survey."""
    from lsbg_classifier.training.dataset_parts import read_part

    table = read_part(part)
    content = b"".join(table["image"].to_pylist())
    images = np.frombuffer(content, np.uint8).reshape(-1, 64, 64, 3)
    return SURVEY, table["label"].to_numpy(), classifier.predict(images)


def main():
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--fitted", nargs=2, type=float)
    parser.add_argument("--survey", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    start_backend()
    measure(options)


def measure(options):
    """Measure what is asked for."""
    from lsbg_classifier import load_classifier
    from lsbg_classifier.training.workflow import score
    from lsbg_classifier.weights.registry import find_weights
    from lsbg_classifier.weights.thresholds import describe_table, threshold_table

    weights, classifier = find_weights(options.weights), load_classifier(options.weights)
    samples = [] if options.real is None else [on_real(classifier, options)]
    samples += [] if options.survey is None else [on_survey(classifier, options.survey)]
    tables = {name: threshold_table(labels, found) for name, labels, found in samples}
    for name, table in tables.items():
        sys.stdout.write("\n  ".join([f"{name}:", *describe_table(table)]) + "\n")
    scores = {name: score(labels, found) for name, labels, found in samples}
    if options.write:
        card = weights.card
        scores = card.scores | {key: scores[key] for key in scores if key not in card.scores}
        card = replace(card, scores=scores, thresholds=card.thresholds | tables)
        card.write(weights.path.with_name(f"{card.name}.json"))


if __name__ == "__main__":
    main()
