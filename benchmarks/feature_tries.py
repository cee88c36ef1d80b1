"""Last layers that are adapted to real cutouts without labels, on features of a weight set.

    python -m benchmarks.feature_tries WEIGHTS --scenes S.npz --real R.npy --labels L.csv
        --eye E.npy E.csv [--injected FOLDER/cutouts] [--survey PART.parquet] [--seeds 5]

The convolutions stay as they are; what is tried is what a last layer, a logistic regression on 48
directions of the features, learns from scenes: as they are; with the mocks and the real candidates
of a training with --sample injected; with their mean and covariance made those of unlabelled real
cutouts (coral; Sun et al. 2016); with weights under which their mean kernel is that of the
unlabelled ones (mmd; Huang et al. 2006). The real cutouts are dealt into five folds, and those that
are judged are among the unlabelled of no fit. Each seed draws other scenes and deals other folds;
scores are the mean (least-most) of the seeds, accuracy after scale and offset of the logits were
fitted to four folds of the random draws.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.card_thresholds import on_survey
from benchmarks.real_tries import LEAST_COMPLETE, fitted, taken_at
from benchmarks.real_weights import dealt, logistic, read_scenes
from lsbg_classifier.backend import start_backend

DIRECTIONS = 48
SCENES = 1500
UNLABELLED = -1


def rows_of(path: Path, group: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return index, label (`UNLABELLED` where it is empty) and group of all cutouts."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [int(row["label"]) if row["label"] else UNLABELLED for row in rows]
    groups = np.array([row.get("group") or group for row in rows])
    return np.array([int(row["index"]) for row in rows]), np.array(labels), groups


def real_cutouts(options):
    """Return images, labels and groups of all real cutouts."""
    parts = []
    for images, labels, group in ((options.real, options.labels, ""), (*options.eye, "eye")):
        index, label, groups = rows_of(Path(labels), group)
        parts.append((np.load(images)[index], label, groups))
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def moments(features):
    """Return the mean, and the square roots of the shrunk covariance and of its inverse."""
    mean = features.mean(axis=0)
    covariance = np.cov((features - mean).T)
    size = np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh(0.9 * covariance + 0.1 * size * np.eye(len(covariance)))
    root = (vectors * np.sqrt(values)) @ vectors.T
    return mean, root, (vectors / np.sqrt(values)) @ vectors.T


def coral(source, target):
    """Return the source's features with mean and covariance of the target."""
    mean, _, inverse = moments(source)
    new_mean, root, _ = moments(target)
    return (source - mean) @ inverse @ root + new_mean


def matching_weights(source, target):
    """Return weights of the source under which its mean kernel is nearest to the target's."""
    scale = np.mean(np.sum((source - source.mean(axis=0)) ** 2, axis=1)) * 2

    def kernel(first, second):
        squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
        return np.exp(-squares / scale)

    among, across = kernel(source, source), kernel(source, target).mean(axis=1)
    weights = np.ones(len(source))
    for _ in range(300):  # multiplicative steps keep them positive
        weights *= across / np.maximum(among @ weights / len(source), 1e-12)
        weights = np.clip(weights / weights.mean(), 0.02, 20)
    return weights / weights.mean()


def last_layer(features, labels, weights):
    """Return slopes and offset of a logistic regression, classes counting the same."""
    balance = np.where(
        labels == 1, 0.5 / weights[labels == 1].sum(), 0.5 / weights[labels == 0].sum()
    )
    share, signs = weights * balance, 2 * labels - 1

    def loss(values):
        margin = signs * (features @ values[:-1] + values[-1])
        slope = -share * signs / (1 + np.exp(np.clip(margin, -50, 50)))
        value = np.sum(share * np.logaddexp(0, -margin)) + 0.001 * np.sum(values[:-1] ** 2)
        gradient = np.r_[slope @ features + 0.002 * values[:-1], slope.sum()]
        return value, gradient

    return minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B").x


def logits_by(way, source, real, survey, number):
    """Return logits of real cutouts, each by the fit of the folds without it, and of the survey."""
    features, labels = source
    found, on_sky = np.zeros(len(real)), []
    for held_out in np.unique(number):
        others = real[number != held_out]
        taught = coral(features, others) if way == "coral" else features
        weights = np.ones(len(features))
        if way == "mmd":
            weights = matching_weights(features, others)
        *slopes, offset = last_layer(taught, labels, weights)
        found[number == held_out] = real[number == held_out] @ slopes + offset
        on_sky.append(survey @ np.array(slopes) + offset)
    return found, np.mean(on_sky, axis=0)


def scores_of(logits, labels, groups, survey, seed) -> list[float]:
    """Return the scores of one seed."""
    from sklearn.metrics import roc_auc_score

    random, eye, dwarfs = (groups == name for name in ("random", "eye", "fornax"))
    eye &= labels != UNLABELLED
    above = fitted(logits[random], labels[random], seed) > 0.5
    slope, offset = logistic(logits[random], labels[random])
    values = [
        roc_auc_score(labels[random], logits[random]),
        np.mean(above == labels[random]),
        np.mean(above[labels[random] == 0]),
        taken_at(logits[random], labels[random], LEAST_COMPLETE),
        roc_auc_score(labels[eye], logits[eye]),
        np.mean(slope * logits[dwarfs] + offset > 0),
    ]
    if survey is not None:
        truth, found = survey
        values += [roc_auc_score(truth, found), np.mean(slope * found[truth == 1] + offset > 0)]
    return values


def material(options) -> dict:
    """Return features of all cutouts, in the directions in which scenes differ most."""
    from lsbg_classifier import load_classifier
    from lsbg_classifier.training.dataset import CutoutDataset

    classifier = load_classifier(options.weights)
    images, labels, groups = real_cutouts(options)
    scenes, truth, _ = read_scenes(options.scenes)
    kept = np.random.default_rng(1).choice(len(scenes), min(2 * SCENES, len(scenes)), False)
    sets = {"real": (images, labels), "scenes": (scenes[kept], truth[kept])}
    if options.injected is not None:
        sets["injected"] = CutoutDataset(options.injected).load(spare=True)
    features = {name: classifier.features(cutouts) for name, (cutouts, _) in sets.items()}
    features["survey"], survey = np.zeros((0, features["real"].shape[1])), None
    if options.survey is not None:
        _, survey, _ = on_survey(classifier, options.survey)
        features["survey"] = classifier.features(survey_images(options.survey))
    centre = features["scenes"].mean(axis=0)
    _, sizes, axes = np.linalg.svd(features["scenes"] - centre, full_matrices=False)
    axes = axes[:DIRECTIONS].T / sizes[:DIRECTIONS] * np.sqrt(len(kept))
    return {name: (values - centre) @ axes for name, values in features.items()} | {
        "labels": {name: truth for name, (_, truth) in sets.items()} | {"survey": survey},
        "groups": groups,
    }


def survey_images(part: Path) -> np.ndarray:
    """Return the cutouts of a part of a simulated sample."""
    from lsbg_classifier.training.dataset_parts import read_part

    content = b"".join(read_part(part)["image"].to_pylist())
    return np.frombuffer(content, np.uint8).reshape(-1, 64, 64, 3)


def tried(way: str, given: dict, seed: int) -> list[float]:
    """Return the scores of one way of teaching with one seed."""
    labels, groups = given["labels"], given["groups"]
    rng = np.random.default_rng([seed, 5])
    rows = rng.choice(len(given["scenes"]), min(SCENES, len(given["scenes"])), False)
    source = given["scenes"][rows], labels["scenes"][rows]
    if way == "injected":
        repeated = np.repeat(np.arange(len(given["injected"])), 4)
        source = (
            np.concatenate([source[0], given["injected"][repeated]]),
            np.concatenate([source[1], labels["injected"][repeated]]),
        )
    strata = np.char.add(groups, labels["real"].astype(str))
    number = dealt(strata, 5, seed)
    found, on_sky = logits_by(way, source, given["real"], given["survey"], number)
    survey = None if labels["survey"] is None else (labels["survey"], on_sky)
    return scores_of(found, labels["real"], groups, survey, seed)


def main():
    """Try all ways, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    for name in ("--scenes", "--real", "--labels"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--eye", type=Path, nargs=2, required=True)
    parser.add_argument("--injected", type=Path)
    parser.add_argument("--survey", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    start_backend()
    given = material(options)
    sys.stdout.write(
        "| last layer | area, random | accuracy | artifacts taken | taken at completeness "
        f"{LEAST_COMPLETE} | area, by eye | Fornax found | simulated: area | completeness |\n"
    )
    for way in ("scenes", *(["injected"] if options.injected else []), "coral", "mmd"):
        values = np.array([tried(way, given, seed) for seed in range(1, options.seeds + 1)])
        cells = [f"{c.mean():.3f} ({c.min():.3f}-{c.max():.3f})" for c in values.T]
        sys.stdout.write(f"| {way} | " + " | ".join(cells) + " |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
