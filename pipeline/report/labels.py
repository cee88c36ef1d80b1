"""What labellers said of a run's candidates: labels for its plots, and sections of its summary."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from catalogs import InputError
from catalogs.matching import KnownPositions
from lsbg_classifier.training.assessment import METRICS
from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.training.labels import Judgements, read_judgements
from pipeline.report.candidates import Candidates
from pipeline.report.comparison import Comparison
from pipeline.report.document import Section
from pipeline.report.judged import labelled


def open_labels(path: Path, candidates: Candidates) -> tuple[Judgements, Candidates, Section]:
    """Read labels, and give them to the candidates at their positions.

    Parameters
    ----------
    path : Path
        A CSV file; see `lsbg_classifier.training.labels`.
    candidates : Candidates
        Those whose labels are known already keep them.

    Returns
    -------
    judgements : Judgements
    candidates : Candidates
        Labelled where labellers agree: the random ones if there are any, for only those say
        something of all candidates; -1 elsewhere.
    section : Section
        What was said, and how far labellers agree.

    Raises
    ------
    InputError
        If it is no such file, or no label belongs to a candidate.
    """
    judgements = read_judgements(path)
    consensus = judgements.consensus()
    rows = KnownPositions(candidates.positions).match(consensus.positions)
    if len(rows) and (rows < 0).all():
        raise InputError(f"{path}: no label lies on a candidate of {candidates.catalog.path}")
    counted = rows >= 0
    lines = [
        f"{len(judgements.positions):,} candidates judged by {len(judgements.verdicts)} "
        f"labeller{'s' if len(judgements.verdicts) > 1 else ''}: "
        f"{int(consensus.labels.sum()):,} LSBGs, {int((consensus.labels == 0).sum()):,} artifacts.",
        *(f"{note}." for note in consensus.notes()),
    ]
    if not counted.all():
        lines.append(f"{np.count_nonzero(~counted):,} are no candidates of this catalog.")
    if (counted & consensus.random).any():
        counted &= consensus.random
        lines.append(
            f"The {np.count_nonzero(counted):,} that were chosen at random count in the plots."
        )
    elif counted.any():
        lines.append("None was chosen at random: what the plots say holds for these alone.")
    if candidates.label is None:
        label = np.full(len(candidates.probability), -1)
        label[rows[counted]] = consensus.labels[counted]
        candidates = replace(candidates, label=label)
    return judgements, candidates, Section("Labels", lines, *_agreement(judgements))


def _agreement(judgements: Judgements) -> tuple[list[str], list[list[str]]]:
    """Return the table of how far each two labellers agree."""
    rows = [
        [
            f"{one.first or 'no name'} and {one.second or 'no name'}",
            f"{one.count:,}",
            f"{one.agreed:.0%}",
            f"{one.kappa:.2f}" if np.isfinite(one.kappa) else "not defined",
        ]
        for one in judgements.agreements()
    ]
    return ["labellers", "judged by both", "agreed", "Cohen's kappa"], rows


def judged(candidates: Candidates, threshold: float, told_by: str) -> list[Section]:
    """Return the scores of the probabilities against the ``truth`` or ``labels``, if there are."""
    label, probability = labelled(candidates)
    if not len(label):
        return []
    scores = judge(label, probability, threshold)
    names = ("accuracy", "completeness", "purity", "auc")
    header = ["counted", "accuracy", "completeness", "purity", "area under ROC"]
    values = [f"{getattr(scores, name):.3f}" for name in names]
    return [Section(f"Against the {told_by}", (), header, [[f"above {threshold:g}", *values]])]


def compared(comparison: Comparison) -> Section:
    """Return the table of old and new weights on the labels that were chosen at random."""
    lines = [
        f"{comparison.verdict()}.",
        f"On {len(comparison.labels):,} labels that were chosen at random, "
        f"{int(comparison.labels.sum()):,} of them LSBGs; in brackets 95% of 1000 resamplings.",
    ]
    rows = [
        [
            {"auc": "area under ROC"}.get(name, name),
            _scored(comparison.old_scores[name], ".3f"),
            _scored(comparison.new_scores[name], ".3f"),
            _scored(comparison.differences[name], "+.3f"),
        ]
        for name in METRICS
    ]
    header = ["score", comparison.old_name, comparison.new_name, "difference"]
    return Section("Old and new weights", lines, header, rows)


def _scored(values: tuple[float, float, float], form: str) -> str:
    if not np.isfinite(values[0]):
        return "not defined"
    value, low, high = (f"{number:{form}}" for number in values)
    return f"{value} ({low} to {high})"
