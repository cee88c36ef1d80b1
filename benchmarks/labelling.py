"""How many labels weights need, by the strategy that chooses them.

    python -m benchmarks.labelling FOLDER [--seeds 20401 20402 ...] [--real REAL_CUTOUTS]
        [--tuned 100] [--page docs/teaching.md] [--figure docs/images/labelling.png]

FOLDER gets simulated HSC surveys, one a seed, made once. Five times, all candidates are divided
into a pool and a test by chance. Each strategy orders the pool as ``lsbg report --strategy`` does,
from what the weights to start from say; what it puts first is labelled by the truth, a head is
fitted to it, and judged on the test. The head is a logistic regression on what the convolutions of
the network see (the input of its dense layers), which takes a moment where a fine-tuning takes
minutes; --tuned N fine-tunes the whole network on N labels of each strategy too, by the recipe of
``lsbg-train-hsc``, to see whether both rank the strategies alike. --real adds the labelled real
cutouts of a folder: ``NAME_cutouts.npy`` with ``NAME_labels.csv`` (index, label) each.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.table import BEGIN, END
from catalogs.flags import NOT_SCORED
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.calibration import logit
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey
from lsbg_classifier.training.assessment import LabelledCutouts
from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.training.strategies import (
    NEED_FEATURES,
    STRATEGIES,
    Pool,
    learning_order,
    looked_at,
)

PLAN = SurveyPlan(tiles=2, tile_size=2000, lsbgs=300)
"""Of each simulated survey: many LSBGs, so that a few surveys tell."""

ROUNDS = 5
"""Divisions into pool and test, each with its own seed."""

TUNED_ROUNDS = 2
"""Of these, those in which --tuned fine-tunes the whole network."""

GOAL = 0.98
"""Area under the ROC curve that is wanted."""

COUNTS = (10, 15, 20, 30, 40, 60, 80, 100, 140, 200, 280, 400)
"""Labels after which weights are judged."""

VARIANCE, DIRECTIONS = 0.1, 128
"""Of the change of the logit by one spread in a direction, and how many directions the head sees.

Chosen on another survey than those that are measured (seed 20401 of `lsbg simulate hsc`): with 300
labels drawn at random they took the area from 0.974 to 0.987, the most of four pairs.
"""


@dataclass(frozen=True)
class Cutouts:
    """Labelled cutouts as the weights to start from see them.

    Attributes
    ----------
    name : str
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
    probability : array of float32, shape (N,)
    features : array of float32, shape (N, M)
        What the last layer takes: what the strategies look at.
    maps : array of float32, shape (N, K)
        What the dense layers take: what the head is fitted to.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    probability: np.ndarray
    features: np.ndarray
    maps: np.ndarray

    @classmethod
    def seen(cls, name: str, images: np.ndarray, labels: np.ndarray, classifier) -> "Cutouts":
        """Run the weights to start from."""
        features, maps = classifier.features(images), maps_of(images, classifier.card.name)
        return cls(name, images, labels, classifier.predict(images), features, maps)


def maps_of(images: np.ndarray, weights: str) -> np.ndarray:
    """Return what the dense layers of the network take, shape (N, K)."""
    from lsbg_classifier.backend import start_backend

    start_backend()
    from lsbg_classifier.network import load_network, network_steps, part_of_network
    from lsbg_classifier.weights.registry import find_weights

    network = load_network(find_weights(weights))
    first_dense = next(step for step in network_steps(network) if step.kind == "Dense")
    part = part_of_network(network, list(first_dense.inputs))
    return np.concatenate([part.predict_on_batch(one) for one in np.array_split(images, 8)])


def simulated(folder: Path, seeds: list[int], classifier) -> Cutouts:
    """Return the cutouts of simulated HSC surveys, made where they are missing."""
    images, labels = [], []
    for seed in seeds:
        place = folder / str(seed)
        if not (place / "truth.fits").exists():
            simulate_survey("hsc", place, replace(PLAN, seed=seed), processes=1, overwrite=True)
        table = Table.read(place / "candidates.fits")
        positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
        cutouts, flags = open_source(f"tiles:{place / 'tiles'}").fetch(positions)
        usable = (flags & NOT_SCORED) == 0
        images.append(cutouts[usable])
        labels.append(np.asarray(Table.read(place / "truth.fits")["LABEL"])[usable])
    name = f"simulated HSC, {len(seeds)} surveys"
    return Cutouts.seen(name, np.concatenate(images), np.concatenate(labels), classifier)


def real(folder: Path, classifier) -> Cutouts:
    """Return the labelled real cutouts of a folder."""
    paths = sorted(folder.glob("*_cutouts.npy"))
    parts = [
        LabelledCutouts.read(path, path.with_name(path.name.replace("_cutouts.npy", "_labels.csv")))
        for path in paths
    ]
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return Cutouts.seen("real DES cutouts", images, labels, classifier)


def divided(cutouts: Cutouts, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide cutouts by chance into a pool and a test of equal sizes; returns rows."""
    rows = np.random.default_rng(seed).permutation(len(cutouts.labels))
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def order_of(strategy: str, cutouts: Cutouts, pool: np.ndarray, seed: int) -> np.ndarray:
    """Order the rows of a pool as a report would: what is needed of it, the first first."""
    whole = Pool(cutouts.probability[pool], 0.5)
    rows = pool
    if strategy in NEED_FEATURES:
        rows = pool[looked_at(strategy, whole, COUNTS[-1], seed)]
        whole = Pool(cutouts.probability[rows], 0.5, cutouts.features[rows])
    return rows[learning_order(strategy, whole, COUNTS[-1], seed)]


def curve(strategy: str, cutouts: Cutouts, seed: int) -> list[float]:
    """Return the area under the ROC curve after each of `COUNTS` labels; NaN where not defined."""
    pool, test = divided(cutouts, seed)
    order, head = order_of(strategy, cutouts, pool, seed), Head(cutouts, pool, test)
    areas = []
    for count in COUNTS:
        taught = order[:count]
        if len(taught) < count or len(np.unique(cutouts.labels[taught])) < 2:
            areas.append(float("nan"))
            continue
        areas.append(head.area(taught, cutouts.labels[taught]))
    return areas


class Head:
    """A logistic regression that starts from what the weights say.

    The maps are turned into the 128 directions in which those of the pool, without labels,
    differ most, each divided by its spread there. What is fitted is a change of the logit; as in
    a fine-tuning without any labels nothing changes.
    """

    def __init__(self, cutouts: Cutouts, pool: np.ndarray, test: np.ndarray):
        from sklearn.decomposition import PCA

        directions = PCA(min(DIRECTIONS, len(pool)), whiten=True, random_state=0)
        values = directions.fit(cutouts.maps[pool]).transform(cutouts.maps)
        self._inputs = np.column_stack([values, np.ones(len(values))])
        self._start, self._test = logit(cutouts.probability), test
        self._truth = cutouts.labels[test]

    def area(self, taught: np.ndarray, targets: np.ndarray) -> float:
        """Fit to targets from 0 to 1; returns the area under the ROC curve of the test."""
        from scipy.optimize import minimize

        inputs, start = self._inputs[taught], self._start[taught]

        def loss(change):
            logits = start + inputs @ change
            slope = (_probability(logits) - targets) @ inputs
            value = (np.logaddexp(0, logits) - targets * logits).sum()
            return value + change @ change / (2 * VARIANCE), slope + change / VARIANCE

        change = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x
        logits = self._start[self._test] + self._inputs[self._test] @ change
        return judge(self._truth, _probability(logits)).auc


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))


def disagreement(cutouts: Cutouts, count: int = 100) -> str:
    """Compare the majority of labellers who err with the part of them that said LSBG; Markdown.

    Each errs in so many labels, by chance, or more often where the weights to start from doubt.
    """
    lines = [
        f"| labellers, {count} candidates | majority, ties left out | part that said LSBG | "
        "difference in each round |",
        "|---|---|---|---|",
    ]
    doubt = Pool(cutouts.probability, 0.5).doubt
    kinds = {"by chance": np.full(len(doubt), 0.2), "where it is hard": 0.05 + 0.7 * doubt}
    for people in (2, 3, 5):
        for kind, rates in kinds.items():
            areas = np.array(
                [_voted(cutouts, count, people, rates, seed) for seed in range(ROUNDS)]
            )
            change = ", ".join(f"{value:+.3f}" for value in areas[:, 1] - areas[:, 0])
            cells = (
                f"{people}, who err {kind}",
                _spread(areas[:, 0]),
                _spread(areas[:, 1]),
                change,
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _voted(cutouts: Cutouts, count: int, people: int, rates: np.ndarray, seed: int):
    pool, test = divided(cutouts, seed)
    rng = np.random.default_rng(1000 + seed)
    taught = pool[:count]
    wrong = rng.random((people, count)) < rates[taught]
    part = (wrong ^ (cutouts.labels[taught] == 1)).mean(axis=0)
    sure = part != 0.5
    head = Head(cutouts, pool, test)
    return head.area(taught[sure], (part[sure] > 0.5).astype(float)), head.area(taught, part)


def tuned_areas(cutouts: Cutouts, count: int, rounds: int, weights: str) -> dict[str, list[float]]:
    """Fine-tune the whole network on so many labels of each strategy; areas by strategy."""
    from lsbg_classifier.backend import start_backend

    start_backend()
    import keras

    from lsbg_classifier.network import load_network
    from lsbg_classifier.training.batches import TrainingSample
    from lsbg_classifier.training.recipes import HSC, train
    from lsbg_classifier.training.workflow import predict
    from lsbg_classifier.weights.registry import find_weights

    areas: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
    for seed in range(rounds):
        pool, test = divided(cutouts, seed)
        for strategy in STRATEGIES:
            rows = order_of(strategy, cutouts, pool, seed)[:count]
            keras.utils.set_random_seed(seed)
            network = load_network(find_weights(weights))
            train(
                network, TrainingSample(cutouts.images[rows], cutouts.labels[rows]), HSC, seed=seed
            )
            found = judge(cutouts.labels[test], predict(network, cutouts.images[test]))
            areas[strategy].append(found.auc)
            _say(f"fine-tuned on {count}, round {seed}, {strategy}: {found.auc:.4f}")
    return areas


def needed(areas: np.ndarray) -> float:
    """Return the labels after which the area reaches the goal and stays there; infinite: never."""
    judged = 1 + int(np.flatnonzero(np.isfinite(areas))[-1])
    below = np.flatnonzero(~(areas[:judged] >= GOAL))
    first = 0 if not len(below) else below[-1] + 1
    return float(COUNTS[first]) if first < judged else float("inf")


def measure(cutouts: Cutouts) -> dict[str, np.ndarray]:
    """Return the curves of each strategy, shape (rounds, counts)."""
    curves = {}
    for strategy in STRATEGIES:
        curves[strategy] = np.array([curve(strategy, cutouts, seed) for seed in range(ROUNDS)])
        _say(f"{cutouts.name}, {strategy}: {np.round(curves[strategy].mean(axis=0), 4).tolist()}")
    return curves


def _say(line: str):
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def table(cutouts: Cutouts, curves: dict[str, np.ndarray], start: float) -> str:
    """Return Markdown: for each strategy the areas, and the labels that the goal needs."""
    usable = [
        number
        for number, _ in enumerate(COUNTS)
        if all(np.isfinite(areas[:, number]).any() for areas in curves.values())
    ]
    shown = [number for number in usable if COUNTS[number] in (20, 40, 80, 140, 200, 400)]
    head = ["strategy", *(f"{COUNTS[number]} labels" for number in shown), f"labels for {GOAL}"]
    lines = [
        f"{cutouts.name}: {len(cutouts.labels)} candidates, {int(cutouts.labels.sum())} LSBGs; the "
        f"weights to start from have an area of {start:.3f}.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for strategy, areas in curves.items():
        cells = [_spread(areas[:, number]) for number in shown]
        lines.append(f"| {' | '.join([strategy, *cells, _labels_needed(areas, usable)])} |")
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    values = values[np.isfinite(values)]
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def _labels_needed(areas: np.ndarray, usable: list[int]) -> str:
    """Write the median over the rounds, and the range."""
    counts = [needed(one) for one in areas]
    texts = [
        f"{count:.0f}" if np.isfinite(count) else f"more than {COUNTS[usable[-1]]}"
        for count in (np.median(counts), min(counts), max(counts))
    ]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def tuned_table(areas: dict[str, list[float]], heads: dict[str, np.ndarray], count: int) -> str:
    """Return Markdown: both ways of training side by side."""
    lines = [
        f"| strategy, {count} labels | whole network fine-tuned | head alone |",
        "|---|---|---|",
    ]
    rounds = len(next(iter(areas.values())))
    for strategy, values in areas.items():
        same = heads[strategy][:rounds, COUNTS.index(count)]
        lines.append(f"| {strategy} | {_spread(np.array(values))} | {_spread(same)} |")
    return "\n".join(lines)


def draw(results: list[tuple[Cutouts, dict[str, np.ndarray], float]], path: Path):
    """Draw the curves: mean over the rounds, and their range as a band."""
    from lsbg_classifier.training.figure_style import COLUMN, HEIGHT, drawing, write_figure

    looks = {"uncertain": ("C0", "-", "o"), "diverse": ("C1", "--", "s")}
    looks |= {"both": ("C2", "-.", "^"), "random": ("C7", ":", "D")}
    with drawing("light", COLUMN * len(results), HEIGHT) as (figure, theme):
        for number, (cutouts, curves, start) in enumerate(results, 1):
            axes = figure.add_subplot(1, len(results), number)
            for strategy, areas in curves.items():
                usable = np.isfinite(areas).all(axis=0)
                counts, (colour, line, marker) = np.array(COUNTS)[usable], looks[strategy]
                values = areas[:, usable]
                axes.fill_between(
                    counts, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.12, lw=0
                )
                style = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3}
                axes.plot(counts, values.mean(axis=0), label=strategy, **style)
            axes.axhline(start, color=theme.faint, linewidth=0.8)
            axes.axhline(GOAL, color=theme.ink, linewidth=0.8, linestyle=(0, (1, 3)))
            axes.set(xscale="log", xlabel="labels that teach", title=cutouts.name)
            axes.set_ylabel("area under ROC" if number == 1 else "")
        axes.legend(loc="lower right")
    write_figure(figure, path)


def main():
    """Measure, print, and write into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20413, 20414])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--weights", default="des-simulated")
    parser.add_argument("--tuned", type=int, choices=COUNTS, default=None)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    classifier = load_classifier(options.weights)
    samples = [simulated(options.folder, options.seeds, classifier)]
    if options.real:
        samples.append(real(options.real, classifier))
    results = [(one, measure(one), judge(one.labels, one.probability).auc) for one in samples]
    parts = [table(*result) for result in results]
    parts.append(disagreement(samples[0]))
    if options.tuned:
        areas = tuned_areas(samples[0], options.tuned, TUNED_ROUNDS, options.weights)
        parts.append(tuned_table(areas, results[0][1], options.tuned))
    text = "\n\n".join(parts)
    sys.stdout.write(text + "\n")
    curves = {one.name: {k: v.tolist() for k, v in found.items()} for one, found, _ in results}
    (options.folder / "labelling.json").write_text(json.dumps(curves))
    if options.figure:
        draw(results, options.figure)
    if options.page:
        before, _, rest = options.page.read_text().partition(BEGIN)
        options.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
