"""Judge a weight set on labelled cutouts, as tables and figures in the terms of the paper."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType

import numpy as np

from catalogs.errors import InputError, one_line
from catalogs.output import written_whole
from lsbg_classifier.classifier import Classifier
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.training.dataset import open_dataset
from lsbg_classifier.training.evaluation import calibration_error
from lsbg_classifier.training.evaluation_figures import draw_evaluation, draw_heat_maps
from lsbg_classifier.training.figure_style import write_figure
from lsbg_classifier.training.intervals import scores_with_intervals
from lsbg_classifier.training.score_tables import defined, score_section
from lsbg_classifier.weights.registry import WeightSet
from lsbg_classifier.weights.seen import cutout_hashes, load_seen

_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    csv.Error,
)
"""What csv and numpy raise on files that are damaged or something else."""

PUBLISHED: Mapping[str, Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "DES, published baseline split": {
            "accuracy": (0.920, 0.912, 0.928),
            "completeness": (0.944, 0.935, 0.953),
            "purity": (0.903, 0.891, 0.914),
            "auc": (0.974, 0.970, 0.974),
        },
        "HSC": {
            "accuracy": (0.876,),
            "completeness": (0.932,),
            "purity": (0.841,),
            "auc": (0.936,),
        },
    }
)
"""Tanoglidis et al. 2021: table 4 for DES, and after fine-tuning for HSC; value, and interval."""


@dataclass(frozen=True)
class LabelledCutouts:
    """Cutouts with labels, and what they are called.

    Attributes
    ----------
    name : str
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def read(cls, path: Path, labels: Path | None = None, split: str = "test"):
        """Read a dataset's folder, or cutouts (``.npy``) with a table of labels beside them.

        Parameters
        ----------
        path : Path
        labels : Path, optional
            CSV with ``index`` (row of the ``.npy``) and ``label`` (1, 0, or empty: left out).
        split : str
            Of the dataset.

        Returns
        -------
        LabelledCutouts

        Raises
        ------
        InputError
            If there is nothing to judge.
        """
        if labels is None:
            dataset = open_dataset(path)
            cutouts = cls(dataset.manifest.sample, *dataset.load(split))
        else:
            cutouts = cls(path.stem, *_read_arrays(path, labels))
        if len(np.unique(cutouts.labels)) < 2:
            raise InputError(f"{path}: needs cutouts of LSBGs and of others to judge by")
        return cutouts


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes
    ----------
    weights, sample : str
    count, lsbgs : int
        Cutouts, and LSBGs among them.
    threshold : float
    scores : dict
        For each of `METRICS`: value, and the ends of its 95% interval; see `intervals`.
    confusion : dict of str to int
        ``true_positive``, ``false_positive``, ``true_negative``, ``false_negative``.
    calibration_error : float
        Expected calibration error in ten bins of equal count.
    published : dict
        The paper's scores on this sample, where it is one of theirs.
    baselines : dict
        Scores of each baseline on the same split, as in `scores`.
    notes : tuple of str
        What makes the scores less than they seem, such as cutouts that the weights have seen.
    """

    weights: str
    sample: str
    count: int
    lsbgs: int
    threshold: float
    scores: dict[str, tuple[float, float, float]]
    confusion: dict[str, int]
    calibration_error: float
    published: dict[str, tuple[float, ...]]
    baselines: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """Return all as values of JSON; null is a score that is not defined."""
        scores = {name: defined(values) for name, values in self.scores.items()}
        baselines = {
            baseline: {name: defined(values) for name, values in theirs.items()}
            for baseline, theirs in self.baselines.items()
        }
        return asdict(self) | {"scores": scores, "baselines": baselines}

    def to_markdown(self) -> str:
        """Return a table, side by side with the paper's numbers where there are any."""
        columns: dict[str, Mapping[str, tuple[float, ...]]]
        columns = {"value (95% interval)": self.scores, **self.baselines}
        columns |= {"paper": self.published} if self.published else {}
        lines = [
            f"`{self.weights}` on {self.sample}: {self.count} cutouts, {self.lsbgs} LSBGs,"
            f" threshold {self.threshold:g}.",
            "",
            *score_section("Scores", columns).to_markdown(),
            "",
            f"expected calibration error {self.calibration_error:.3f}",
            "",
            ", ".join(f"{k.replace('_', ' ')} {n}" for k, n in self.confusion.items()),
        ]
        lines += [line for note in self.notes for line in ("", f"note: {note}")]
        return "\n".join(lines) + "\n"


def evaluate(
    classifier: Classifier,
    cutouts: LabelledCutouts,
    *,
    calibrated: bool = False,
    baselines: Mapping[str, tuple[np.ndarray, np.ndarray]] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> tuple[Evaluation, np.ndarray]:
    """Judge a classifier.

    Parameters
    ----------
    classifier : Classifier
    cutouts : LabelledCutouts
    calibrated : bool
        Apply the temperature on the card.
    baselines : mapping of str to (labels, probabilities)
        Others on the same split, by name; see `baselines.baseline_probabilities`.
    notes : sequence of str
        What the reader must know of the scores; see `seen_notes`.

    Returns
    -------
    evaluation : Evaluation
    probabilities : array of float32, shape (N,)
    """
    probabilities = classifier.predict(cutouts.images, calibrated=calibrated)
    labels, threshold = np.asarray(cutouts.labels).astype(bool), classifier.card.threshold
    called = probabilities > threshold
    published = [theirs for key, theirs in PUBLISHED.items() if cutouts.name.startswith(key)]
    evaluation = Evaluation(
        weights=classifier.card.name,
        sample=cutouts.name,
        count=len(labels),
        lsbgs=int(labels.sum()),
        threshold=threshold,
        scores=scores_with_intervals(labels, probabilities, threshold),
        confusion={
            "true_positive": int((called & labels).sum()),
            "false_positive": int((called & ~labels).sum()),
            "true_negative": int((~called & ~labels).sum()),
            "false_negative": int((~called & labels).sum()),
        },
        calibration_error=calibration_error(labels, probabilities),
        published=dict(published[0]) if published else {},
        baselines={name: scores_with_intervals(*pair) for name, pair in baselines.items()},
        notes=tuple(notes),
    )
    return evaluation, probabilities


def seen_notes(weights: WeightSet, cutouts: LabelledCutouts) -> list[str]:
    """Say how many of the cutouts a weight set was trained on, or that this is not known.

    Parameters
    ----------
    weights : WeightSet
        Its file has a record of the cutouts; those of older trainings have none.
    cutouts : LabelledCutouts

    Returns
    -------
    list of str
        Plain sentences; none where the weights have seen none of the cutouts.
    """
    hashes = load_seen(weights.path)
    if hashes is None:
        return [
            f"{weights.card.name} has no record of the cutouts that it was trained on, so whether "
            "these are among them is not known"
        ]
    count = int(np.isin(cutout_hashes(cutouts.images), hashes).sum())
    if not count:
        return []
    return [
        f"{weights.card.name} was trained on {count} of these {len(cutouts.labels)} cutouts: its "
        "scores are better than on cutouts that it has not seen"
    ]


def write_evaluation(
    classifier: Classifier, cutouts: LabelledCutouts, folder: Path, *, pdf: bool = False, **options
) -> Evaluation:
    """Judge a classifier and write the result into a folder.

    Writes ``evaluation.json``, ``evaluation.md``, ``evaluation.png`` (ROC curve with its band,
    probabilities by class, reliability, confusion matrix) and ``gradcam.png`` (confident right and
    wrong ones, with Grad-CAM and, place by place, without its average).

    Parameters
    ----------
    classifier : Classifier
    cutouts : LabelledCutouts
    folder : Path
        Made if missing; files in it of these names are replaced.
    pdf : bool
        Write both figures as PDF too.
    **options
        `calibrated`, `baselines` and `notes`, as for `evaluate`.

    Returns
    -------
    Evaluation
    """
    evaluation, probabilities = evaluate(classifier, cutouts, **options)
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "evaluation.json") as partial:
        partial.write_text(json.dumps(evaluation.to_json(), indent=2) + "\n")
    with written_whole(folder / "evaluation.md") as partial:
        partial.write_text(evaluation.to_markdown())
    drawn = draw_evaluation(cutouts.labels, probabilities, evaluation.threshold)
    write_figure(drawn, folder / "evaluation.png", pdf=pdf)
    chosen = confident(cutouts.labels, probabilities, evaluation.threshold)
    heat = {
        title: (cutouts.images[rows], _heat_maps(classifier, cutouts.images[rows]))
        for title, rows in chosen.items()
        if len(rows)
    }
    write_figure(draw_heat_maps(heat), folder / "gradcam.png", pdf=pdf)
    return evaluation


def _heat_maps(classifier: Classifier, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return both kinds of heat maps by name: Grad-CAM is often empty where there is an LSBG."""
    return {
        "Grad-CAM": classifier.heat_maps(images),
        "place by place": classifier.contribution_maps(images),
    }


def confident(labels, probabilities, threshold: float, count: int = 8) -> dict[str, np.ndarray]:
    """Pick the most confident right and wrong cutouts of each class.

    Parameters
    ----------
    labels : array of int or bool, shape (N,)
        1 = LSBG, 0 = not.
    probabilities : array of float, shape (N,)
    threshold : float
        Called an LSBG above this.
    count : int
        Cutouts of each kind, at most.

    Returns
    -------
    dict of str to array of int
        Row numbers, the most confident first, by a title such as ``LSBGs called other``.
    """
    labels, called = np.asarray(labels).astype(bool), probabilities > threshold
    by_probability = np.argsort(-probabilities, kind="stable")
    kinds = {
        "LSBGs called LSBG": (labels & called, by_probability),
        "others called other": (~labels & ~called, by_probability[::-1]),
        "others called LSBG": (~labels & called, by_probability),
        "LSBGs called other": (labels & ~called, by_probability[::-1]),
    }
    return {title: order[kind[order]][:count] for title, (kind, order) in kinds.items()}


def _read_arrays(path: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(labels, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["label"].strip()]
        index = np.array([int(row["index"]) for row in rows])
        values = np.array([int(row["label"]) for row in rows], np.int8)
        images = np.load(path, mmap_mode="r", allow_pickle=False)[index]
    except _UNREADABLE as error:
        reason = one_line(error)
        raise InputError(f"{path}, {labels}: not cutouts and their labels ({reason})") from error
    if images.dtype != np.uint8 or images.shape[1:] != (CUTOUT_SIZE, CUTOUT_SIZE, 3):
        raise InputError(f"{path}: not uint8 cutouts of 64x64x3, but {images.dtype} {images.shape}")
    if not set(values.tolist()) <= {0, 1}:
        raise InputError(f"{labels}: labels must be 0 or 1")
    return np.asarray(images), values
