"""Scenes, and weights that are trained on them and on real cutouts; see docs/real-sky.md.

    python -m benchmarks.real_weights scenes OUT.npz [--simulated 7] [--sky FOLDER --passes 4]
    python -m benchmarks.real_weights train OUT --scenes S.npz [--real R.npy --labels L.csv]
        [--from des-simulated] [--steps 300] [--seed 1] [--name scenes]
        [--injected FOLDER/cutouts] [--shares C.csv]
        [--teacher WEIGHTS ... [--teacher-share 1]]
        [--unlabelled R.npy L.csv ... [--align NAME --weight 1]]
    python -m benchmarks.real_weights folds OUT.csv --scenes S.npz --real R.npy --labels L.csv
        [--from ...] [--steps 60]
    python -m benchmarks.real_weights judge WEIGHTS R.npy L.csv [--prior 0.7]
    python -m benchmarks.real_weights blend OUT --of WEIGHTS ... --shares 0.5 ... --name NAME
        [--real R.npy --labels L.csv]

Scenes are drawn on simulated sky, and into the images of a folder. L.csv has the columns index and
label, and maybe group; only the groups of --groups are trained on, and folds are dealt in each.
`blend` writes the mean of several weight sets that started from the same one; with labels, it also
sets the scale and the offset of the last layer by those of the group `random`, by logistic
regression, and prints what five folds give, each judged by a fit to the other four. Where L.csv has
no column group, all of its cutouts are used. --injected adds the mocks and the real candidates of
a training with --sample injected. --shares draws scenes by kind as often as benchmarks.scene_shares
has found. --teacher has the network learn, in place of the labels, the mean of what those weight
sets say of each cutout of a batch; with a --teacher-share below 1, that much of it, and the rest of
the labels. --unlabelled adds real cutouts without their labels, and --align says how the network is
to see them as it sees drawn ones (see lsbg_classifier/training/alignment.py): those of the group
`hard` and those whose label is empty, so that none of them judges.
"""

import argparse
import csv
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from lsbg_classifier.backend import start_backend

KINDS = ("images", "labels", "kinds")
ALIGNMENTS = ("mmd", "coral", "adversarial", "consistency")


def make_scenes(options):
    """Write scenes as a .npz file."""
    from lsbg_classifier.simulation.scene_tiles import scenes_on_sky, simulated_scenes

    made = {"real": [], "simulated": []}
    for seed in range(1, options.passes + 1 if options.sky else 1):
        made["real"] += scenes_on_sky(options.sky, seed)
    made["simulated"] = [simulated_scenes(seed) for seed in range(1, options.simulated + 1)]
    arrays = {}
    for ground, parts in made.items():
        for number, name in enumerate(KINDS):
            if parts:
                arrays[f"{ground}_{name}"] = np.concatenate([part[number] for part in parts])
    np.savez_compressed(options.out, **arrays)


def read_scenes(path: Path) -> tuple[np.ndarray, ...]:
    """Return images, labels and kinds of all scenes of a file, one ground after the other."""
    with np.load(path, allow_pickle=False) as stored:
        grounds = [name.removesuffix("_images") for name in stored if name.endswith("_images")]
        return tuple(
            np.concatenate([stored[f"{ground}_{name}"] for ground in grounds]) for name in KINDS
        )


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return index, label and group of labelled cutouts; the group is "" where none is given."""
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != ""]
    index = np.array([int(row["index"]) for row in rows])
    groups = np.array([row.get("group") or "" for row in rows])
    return index, np.array([int(row["label"]) for row in rows]), groups


def in_groups(groups: np.ndarray, wanted: list[str], labels: Path) -> np.ndarray:
    """Return which cutouts are in the groups that are wanted; all of them where none has a group.

    Exits with a message where no cutout is.
    """
    if not (groups != "").any():
        return np.ones(len(groups), bool)
    chosen = np.isin(groups, wanted)
    if not chosen.any():
        there = ", ".join(np.unique(groups))
        sys.exit(f"{labels}: no cutout is of the group {' or '.join(wanted)}; it has {there}")
    return chosen


def sources_of(options, with_real: bool):
    """Return the sources of scenes, fewer in a batch beside real cutouts, and that of --injected.

    Those of --injected are mocks and real candidates, 20 in a batch.
    """
    from lsbg_classifier.training.dataset import CutoutDataset
    from lsbg_classifier.training.mixture import REAL, SCENE, Source

    counts = {"real": 28 if with_real else 36, "simulated": 20 if with_real else 28}
    with np.load(options.scenes, allow_pickle=False) as stored:
        sources = [
            Source(
                stored[f"{ground}_images"],
                stored[f"{ground}_labels"],
                count,
                SCENE,
                weights_of(stored[f"{ground}_kinds"], options.shares),
            )
            for ground, count in counts.items()
            if f"{ground}_images" in stored
        ]
    if options.injected is not None:
        sources.append(Source(*CutoutDataset(options.injected).load(spare=True), 20, REAL))
    return sources


def weights_of(kinds: np.ndarray, shares: Path | None) -> np.ndarray | None:
    """Return how often each scene is drawn, so that kinds have the shares of a file."""
    if shares is None:
        return None
    with open(shares, newline="") as file:
        wanted = {row["kind"]: float(row["share"]) for row in csv.DictReader(file)}
    names, place, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    return np.array([wanted[name] for name in names])[place] / counts[place]


def teacher_of(options):
    """Return a teacher that says the mean probability of the weight sets of --teacher, or None."""
    from lsbg_classifier.network import load_network
    from lsbg_classifier.training.mixture import Teacher
    from lsbg_classifier.weights.registry import find_weights

    if not options.teacher:
        return None
    networks = [load_network(find_weights(name)) for name in options.teacher]

    def probabilities(images):
        return np.mean([network.predict_on_batch(images)[:, 0] for network in networks], axis=0)

    return Teacher(probabilities, options.teacher_share)


def unlabelled_of(options):
    """Return the real cutouts of --unlabelled, labels left aside, or None.

    The random draws and the cutouts that have a label by eye are never among them.
    """
    from lsbg_classifier.training.alignment import Unlabelled
    from lsbg_classifier.training.mixture import REAL

    if not options.unlabelled:
        return None
    parts = []
    for images, rows in options.unlabelled:
        with open(rows, newline="") as file:
            chosen = [row for row in csv.DictReader(file) if is_free(row)]
        parts.append(np.load(images)[[int(row["index"]) for row in chosen]])
    return Unlabelled(np.concatenate(parts), REAL, options.align, options.weight)


def is_free(row: dict[str, str]) -> bool:
    """Whether a cutout judges nothing: one of the hard ones, or one without a label."""
    return row.get("group") == "hard" or row["label"] == ""


def trained(options, sources, real=None):
    """Return a network that has gone on from --from."""
    import keras

    from lsbg_classifier.network import load_network
    from lsbg_classifier.training.mixture import REAL, Course, Source, train_on_mixture
    from lsbg_classifier.weights.registry import find_weights

    keras.utils.set_random_seed(options.seed)
    network = load_network(find_weights(options.start))
    if real is not None:
        sources = [*sources, Source(*real, 16, REAL)]
    course = Course(options.steps, options.rate)
    others, teacher = unlabelled_of(options), teacher_of(options)
    return train_on_mixture(network, sources, course, options.seed, said, others, teacher)


def said(done: int, steps: int):
    """Say how far a training is, now and then."""
    if done % 50 == 0 or done == steps:
        sys.stdout.write(f"step {done} of {steps}\n")
        sys.stdout.flush()


def train(options):
    """Train once, on all that is given, and write a weight set."""
    sources = sources_of(options, options.real is not None)
    real = None
    if options.real is not None:
        index, labels, groups = read_labels(options.labels)
        chosen = in_groups(groups, options.groups.split(","), options.labels)
        real = np.load(options.real)[index[chosen]], labels[chosen]
    network = trained(options, sources, real)
    seen = [source.images for source in sources]
    if (unlabelled := unlabelled_of(options)) is not None:
        seen.append(unlabelled.images)
    save(options, network, np.concatenate(seen), real)


def save(options, network, seen, real=None):
    """Write a weight set that goes on from another, with its check of likeness.

    `seen` are the cutouts trained on, or hashes of them.
    """
    from lsbg_classifier.likeness import load_likeness
    from lsbg_classifier.weights.registry import find_weights
    from lsbg_classifier.weights.saving import save_weight_set
    from lsbg_classifier.weights.seen import cutout_hashes, load_seen

    start = find_weights(options.start)
    before = load_seen(start.path)
    if seen.ndim > 1:
        seen = cutout_hashes(seen)
    if real is not None:
        seen = np.concatenate([seen, cutout_hashes(real[0])])
    hashes = [seen] + ([] if before is None else [before])
    taught = "no real cutout" if real is None else f"{len(real[1])} labelled real cutouts"
    count = len(np.unique(seen)) - (0 if real is None else len(real[1]))
    card = replace(
        start.card,
        name=options.name,
        description=f"scenes, {taught}, starting from {start.card.name}",
        sample=f"{count} drawn or unlabelled cutouts and {taught}, starting from {start.card.name}",
        recipe=f"python -m benchmarks.real_weights {shlex.join(sys.argv[1:])}",
        seed=options.seed,
        limitations="not judged yet: see python -m benchmarks.real_weights judge",
        prior=0.5,
        temperature=1.0,
        scores={},
    )
    likeness = load_likeness(start.path)
    saved = save_weight_set(network, card, options.out, likeness, np.concatenate(hashes))
    sys.stdout.write(f"wrote {saved.path}\n")


def fold(options):
    """Train once a fold, and write probabilities by the network that has not seen the cutout."""
    from lsbg_classifier.training.workflow import predict

    index, labels, groups = read_labels(options.labels)
    images, sources = np.load(options.real)[index], sources_of(options, True)
    number = dealt(np.char.add(groups, labels.astype(str)), 5, 1)
    chosen = in_groups(groups, options.groups.split(","), options.labels)
    found = np.zeros(len(labels))
    for held_out in range(5):
        inside = (number != held_out) & chosen
        network = trained(options, sources, (images[inside], labels[inside]))
        outside = number == held_out
        found[outside] = predict(network, images[outside])
    with open(options.out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "label", "group", "fold", "probability"])
        writer.writerows(zip(index, labels, groups, number, found.round(6), strict=True))
    say(labels, groups, found)


def dealt(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Deal numbers of folds, as evenly as possible in each stratum."""
    rng = np.random.default_rng(seed)
    number = np.empty(len(strata), int)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        number[rows] = (np.arange(len(rows)) + rng.integers(count)) % count
    return number


def say(labels, groups, probability):
    """Print scores of each group."""
    from lsbg_classifier.training.evaluation import calibration_error
    from lsbg_classifier.training.intervals import scores_with_intervals

    for group in np.unique(groups):
        truth, found = labels[groups == group], probability[groups == group]
        line = f"{group or 'all'}: {len(truth)} cutouts, LSBGs found "
        line += f"{np.mean(found[truth == 1] > 0.5):.3f}"
        if len(np.unique(truth)) == 2:
            line += f", artifacts taken {np.mean(found[truth == 0] > 0.5):.3f}"
            for name, values in scores_with_intervals(truth, found).items():
                line += ", {} {:.3f} ({:.3f}-{:.3f})".format(name, *values)
            line += f", calibration error {calibration_error(truth, found):.3f}"
        sys.stdout.write(line + "\n")


def blend(options):
    """Write the mean of weight sets, the last layer fitted to labels where there are some."""
    from lsbg_classifier.network import load_network
    from lsbg_classifier.weights.registry import find_weights
    from lsbg_classifier.weights.seen import load_seen

    sets = [find_weights(name) for name in options.of]
    networks = [load_network(one) for one in sets]
    shares = np.array(options.shares) / np.sum(options.shares)
    layers = zip(*(network.get_weights() for network in networks), strict=True)
    networks[0].set_weights(
        [sum(s * w for s, w in zip(shares, arrays, strict=True)) for arrays in layers]
    )
    real, options.start, options.seed = None, options.of[0], 1
    if options.real is not None:
        real = fit_last_layer(networks[0], options)
    hashes = [load_seen(one.path) for one in sets]
    save(options, networks[0], np.concatenate([one for one in hashes if one is not None]), real)


def fit_last_layer(network, options):
    """Set scale and offset of the logits by labels; returns those images and labels."""
    from lsbg_classifier.calibration import logit
    from lsbg_classifier.training.workflow import predict

    index, labels, groups = read_labels(options.labels)
    chosen = in_groups(groups, ["random"], options.labels)
    images, labels = np.load(options.real)[index[chosen]], labels[chosen]
    logits = logit(predict(network, images))
    cross_validated(logits, labels)
    slope, offset = logistic(logits, labels)
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel * slope, bias * slope + offset])
    sys.stdout.write(f"logits times {slope:.3f}, plus {offset:.3f}\n")
    return images, labels


def cross_validated(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Print scores where scale and offset are fitted to four folds and judged on the fifth."""
    number, found = dealt(labels.astype(str), 5, 1), np.zeros(len(labels))
    for held_out in range(5):
        inside = number != held_out
        slope, offset = logistic(logits[inside], labels[inside])
        found[~inside] = 1 / (1 + np.exp(-slope * logits[~inside] - offset))
    say(labels, np.full(len(labels), "cross-validated"), found)
    say_thresholds(labels, found)
    return found


def logistic(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return slope and offset under which labels are most likely, the slope near 1 by a prior."""
    from scipy.optimize import minimize

    def loss(values):
        scaled = values[0] * logits + values[1]
        return np.sum(np.logaddexp(0, scaled) - labels * scaled) + (values[0] - 1) ** 2 / 2

    slope, offset = minimize(loss, [1.0, 0.0]).x
    return float(slope), float(offset)


def judge(options):
    """Print the scores of weights on labelled cutouts, by group and by threshold."""
    from lsbg_classifier import load_classifier

    index, labels, groups = read_labels(options.labels)
    classifier = load_classifier(options.weights, prior=options.prior)
    found = classifier.predict(np.load(options.real)[index])
    say(labels, groups, found)
    chosen = groups == "random" if (groups == "random").any() else np.ones(len(labels), bool)
    say_thresholds(labels[chosen], found[chosen])


def say_thresholds(labels: np.ndarray, probability: np.ndarray):
    """Print what each threshold keeps and takes, and the purity that follows for three mixes."""
    head = "threshold, completeness, artifacts taken, purity where 1 in 2, 5, 20 is an LSBG"
    sys.stdout.write(head + "\n")
    for threshold in np.arange(1, 10) / 10:
        kept = np.mean(probability[labels == 1] > threshold)
        taken = np.mean(probability[labels == 0] > threshold)
        purity = [kept * f / max(kept * f + taken * (1 - f), 1e-9) for f in (0.5, 0.2, 0.05)]
        line = ", ".join(f"{value:.2f}" for value in (threshold, kept, taken, *purity))
        sys.stdout.write(line + "\n")


def main():
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    scenes = commands.add_parser("scenes")
    scenes.add_argument("out", type=Path)
    scenes.add_argument("--simulated", type=int, default=7)
    scenes.add_argument("--sky", type=Path)
    scenes.add_argument("--passes", type=int, default=4)
    scenes.set_defaults(run=make_scenes)
    for name, run, steps in (("train", train, 300), ("folds", fold, 60)):
        command = commands.add_parser(name)
        command.add_argument("out", type=Path)
        command.add_argument("--scenes", type=Path, required=True)
        command.add_argument("--real", type=Path, required=run is fold)
        command.add_argument("--labels", type=Path, required=run is fold)
        command.add_argument("--groups", default="random,fornax")
        command.add_argument("--injected", type=Path)
        command.add_argument("--shares", type=Path)
        command.add_argument("--teacher", nargs="+")
        command.add_argument("--teacher-share", type=float, default=1.0)
        command.add_argument("--unlabelled", nargs=2, type=Path, action="append")
        command.add_argument("--align", choices=ALIGNMENTS, default="mmd")
        command.add_argument("--weight", type=float, default=1.0)
        command.add_argument("--from", dest="start", default="des-simulated")
        command.add_argument("--steps", type=int, default=steps)
        command.add_argument("--rate", type=float, default=2e-4)
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--name", default="scenes")
        command.set_defaults(run=run)
    command = commands.add_parser("blend")
    command.add_argument("out", type=Path)
    command.add_argument("--of", nargs="+", required=True)
    command.add_argument("--shares", nargs="+", type=float, required=True)
    command.add_argument("--real", type=Path)
    command.add_argument("--labels", type=Path)
    command.add_argument("--name", default="blend")
    command.set_defaults(run=blend)
    command = commands.add_parser("judge")
    command.add_argument("weights")
    command.add_argument("real", type=Path)
    command.add_argument("labels", type=Path)
    command.add_argument("--prior", type=float)
    command.set_defaults(run=judge)
    options = parser.parse_args()
    start_backend()
    options.run(options)


if __name__ == "__main__":
    main()
