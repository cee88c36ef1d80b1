"""A row of the table of docs/real-sky.md for each weight set, all judged in the same way.

    python -m benchmarks.real_tries WEIGHTS ... --real R.npy --labels L.csv [--eye E.npy E.csv]
        [--survey results/a/cutouts/part-00000.parquet]

R.npy and L.csv are labelled real cutouts with the groups `random` and `fornax`, E.npy and E.csv
those labelled by eye. Scale and offset of the logits are fitted to four folds of the random draws
and judged on the fifth; accuracy, completeness and the artifacts taken are means of ten deals of
the folds, in brackets the least and the most. Dwarfs and simulated LSBGs found are those above 0.5
after a fit to all random draws. Where several weight sets are given, the last line has the mean of
their probabilities' logits. Below stands which artifacts among the random draws are scored highest,
by their places in R.npy, and what the area is without the first, the first two and so on.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.card_thresholds import on_survey
from benchmarks.real_weights import dealt, logistic, read_labels
from lsbg_classifier.backend import start_backend

DEALS = 10
LEAST_COMPLETE = 0.92


def fitted(logits: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return probabilities, those of each fold by scale and offset of the other four."""
    number, found = dealt(labels.astype(str), 5, seed), np.zeros(len(labels))
    for held_out in range(5):
        inside = number != held_out
        slope, offset = logistic(logits[inside], labels[inside])
        found[~inside] = 1 / (1 + np.exp(-slope * logits[~inside] - offset))
    return found


def judged(logits: np.ndarray, labels: np.ndarray) -> list[str]:
    """Return accuracy, completeness and artifacts taken, each mean (least-most) of the deals."""
    deals = [fitted(logits, labels, seed) > 0.5 for seed in range(1, DEALS + 1)]
    values = [
        (np.mean(above == labels), np.mean(above[labels == 1]), np.mean(above[labels == 0]))
        for above in deals
    ]
    means, least, most = (call(values, axis=0) for call in (np.mean, np.min, np.max))
    return [f"{m:.3f} ({a:.3f}-{b:.3f})" for m, a, b in zip(means, least, most, strict=True)]


def taken_at(logits: np.ndarray, labels: np.ndarray, complete: float) -> float:
    """Return the least part of artifacts above a threshold that keeps so many of the LSBGs."""
    lsbgs = np.sort(logits[labels == 1])[::-1]
    lowest = lsbgs[int(np.ceil(complete * len(lsbgs))) - 1]
    return float(np.mean(logits[labels == 0] >= lowest))


def row_of(logits: dict, labels: dict) -> str:
    """Return the scores of one weight set as cells of a table."""
    from sklearn.metrics import roc_auc_score

    slope, offset = logistic(logits["random"], labels["random"])
    found = {
        name: np.mean(slope * values[labels[name] == 1] + offset > 0)
        for name, values in logits.items()
    }
    area = {
        name: roc_auc_score(labels[name], values)
        for name, values in logits.items()
        if len(np.unique(labels[name])) == 2
    }
    random = logits["random"], labels["random"]
    cells = [f"{area['random']:.3f}", *judged(*random), f"{taken_at(*random, LEAST_COMPLETE):.3f}"]
    cells += [f"{area['eye']:.3f}" if "eye" in area else "", f"{found['fornax']:.2f}"]
    cells += [f"{area['survey']:.4f}, {found['survey']:.3f}" if "survey" in area else ""]
    return " | ".join(cells)


def highest_artifacts(logits: np.ndarray, labels: np.ndarray, count: int = 6):
    """Return places of the artifacts scored highest, and the area without the first 1, 2, ..."""
    from sklearn.metrics import roc_auc_score

    order = np.argsort(-logits)
    highest = order[labels[order] == 0][:count]
    kept = [np.setdiff1d(order, highest[:number]) for number in range(1, count + 1)]
    return highest, [float(roc_auc_score(labels[rows], logits[rows])) for rows in kept]


def logits_of(name: str, options) -> tuple[dict, dict]:
    """Return logits and labels of each group of cutouts."""
    from lsbg_classifier import load_classifier
    from lsbg_classifier.calibration import logit

    classifier, logits, truth = load_classifier(name), {}, {}
    index, labels, groups = read_labels(options.labels)
    images = np.load(options.real)[index]
    sets = {name: (images[groups == name], labels[groups == name]) for name in ("random", "fornax")}
    if options.eye is not None:
        index, labels, _ = read_labels(options.eye[1])
        sets["eye"] = np.load(options.eye[0])[index], labels
    for group, (cutouts, labels) in sets.items():
        logits[group], truth[group] = logit(classifier.predict(cutouts)), labels
    if options.survey is not None:
        _, truth["survey"], found = on_survey(classifier, options.survey)
        logits["survey"] = logit(found)
    return logits, truth


def main():
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--eye", type=Path, nargs=2)
    parser.add_argument("--survey", type=Path)
    options = parser.parse_args()
    start_backend()
    sys.stdout.write(
        "| weights | area, random | accuracy | completeness | artifacts taken "
        f"| taken at completeness {LEAST_COMPLETE} | area, by eye | Fornax found "
        "| simulated: area, completeness |\n" + "|---" * 9 + "|\n"
    )
    every, notes = [], []
    index, _, groups = read_labels(options.labels)
    for name in options.weights:
        logits, labels = logits_of(name, options)
        every.append(logits)
        highest, areas = highest_artifacts(logits["random"], labels["random"])
        places = ", ".join(map(str, index[groups == "random"][highest]))
        areas = ", ".join(f"{area:.3f}" for area in areas)
        notes.append(f"{Path(name).name}: artifacts {places}; area without them {areas}\n")
        sys.stdout.write(f"| {Path(name).name} | {row_of(logits, labels)} |\n")
        sys.stdout.flush()
    if len(every) > 1:
        mean = {group: np.mean([one[group] for one in every], axis=0) for group in every[0]}
        sys.stdout.write(f"| mean of all | {row_of(mean, labels)} |\n")
    sys.stdout.write("".join(notes))


if __name__ == "__main__":
    main()
