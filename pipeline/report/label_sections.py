"""What labellers said of a run's candidates: labels for its plots, and sections of its summary."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from catalogs.matching import KnownPositions
from lsbg_classifier.training.intervals import METRICS, TITLES, scores_with_intervals
from lsbg_classifier.training.judgements import AGREEMENT_HEADER, Judgements, read_judgements
from lsbg_classifier.training.label_circumstances import circumstance_notes
from lsbg_classifier.training.label_matching import match_judgements
from lsbg_classifier.training.score_tables import Section, score_text
from pipeline.report.accuracy_figures import labelled
from pipeline.report.candidates import Candidates


def open_labels(
    paths: Sequence[Path], candidates: Candidates
) -> tuple[Judgements, Candidates, Section]:
    """Read labels, and give them to the candidates at their positions.

    Parameters
    ----------
    paths : sequence of Path
        CSV files; see `lsbg_classifier.training.label_files`. Several count as one.
    candidates : Candidates
        Those whose labels are known already keep them.

    Returns
    -------
    judgements : Judgements
        Of the candidates, within 0.5" of them.
    candidates : Candidates
        Labelled where labellers agree: the random ones if there are any, for only those say
        something of all candidates; the others have the label -1.
    section : Section
        What was said, and how far labellers agree.

    Raises
    ------
    InputError
        If one is no such file, or no label belongs to a candidate.
    """
    catalog = str(candidates.catalog.path)
    matched = match_judgements(read_judgements(*paths), candidates.positions, catalog)
    judgements = matched.judgements
    consensus = judgements.consensus()
    lines = [_summary(judgements, consensus)]
    notes = (*consensus.notes(), *matched.notes, *circumstance_notes(judgements))
    lines += [f"{note[:1].upper()}{note[1:]}." for note in notes]
    counted = np.ones(len(consensus.labels), bool)
    if consensus.random.any():
        counted = consensus.random
        lines.append(
            f"The {np.count_nonzero(counted):,} that were chosen at random count in the plots."
        )
    elif len(counted):
        lines.append("None was chosen at random: what the plots say holds for these alone.")
    if candidates.label is None:
        label = np.full(len(candidates.probability), -1)
        rows = KnownPositions(candidates.positions).match(consensus.positions[counted])
        label[rows] = consensus.labels[counted]
        candidates = replace(candidates, label=label)
    agreement = [one.cells() for one in judgements.agreements()]
    return judgements, candidates, Section("Labels", lines, AGREEMENT_HEADER, agreement)


def _summary(judgements: Judgements, consensus) -> str:
    count = len(judgements.verdicts)
    return (
        f"{len(judgements.positions):,} candidates judged by {count} "
        f"labeller{'s' if count > 1 else ''}: {int(consensus.labels.sum()):,} LSBGs, "
        f"{int((consensus.labels == 0).sum()):,} artifacts."
    )


def score_sections(candidates: Candidates, threshold: float, told_by: str) -> list[Section]:
    """Return the scores of the probabilities against labels, if there are any.

    Parameters
    ----------
    candidates : Candidates
    threshold : float
        Called an LSBG above this.
    told_by : str
        Where the labels are from: ``truth`` or ``labels``.

    Returns
    -------
    list of Section
        One, or none where no candidate has both a label and a probability.
    """
    label, probability = labelled(candidates)
    if not len(label):
        return []
    scores = scores_with_intervals(label, probability, threshold)
    lsbgs = int(label.sum())
    lines = [f"{lsbgs:,} LSBGs and {len(label) - lsbgs:,} others; in brackets 95% intervals."]
    header = ["counted", *(TITLES.get(name, name) for name in METRICS)]
    values = [score_text(scores[name]) for name in METRICS]
    return [Section(f"Against the {told_by}", lines, header, [[f"above {threshold:g}", *values]])]
