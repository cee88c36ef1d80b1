"""How labels were given: with the probability in sight or not, in which reports, of which weights.

A labeller who sees the probability is led by it. So the counts are said wherever labels judge.
"""

from collections import Counter

from lsbg_classifier.training.judgements import Judgements
from lsbg_classifier.training.label_files import Judgement


def circumstance_notes(judgements: Judgements) -> tuple[str, ...]:
    """Say how labels were given, as far as their files know.

    Parameters
    ----------
    judgements : Judgements

    Returns
    -------
    tuple of str
        Plain sentences without a full stop; none where the files say nothing.
    """
    entries = judgements.entries
    return (*_sight(entries), *_shown(entries))


def _sight(entries: tuple[Judgement, ...]) -> list[str]:
    counts = Counter(entry.blind for entry in entries)
    if not counts[True] and not counts[False]:
        return []
    notes = [f"{counts[True]} labels were given blind, {counts[False]} with the probability shown"]
    if counts[None]:
        notes[0] += f", of {counts[None]} it is not known"
    seen = sum(entry.chosen == "random" and entry.blind is False for entry in entries)
    if seen:
        notes.append(
            f"{seen} labels of candidates drawn at random were given with the probability shown, "
            "which can lead the eye: scores against them flatter the weights that gave it"
        )
    return notes


def _shown(entries: tuple[Judgement, ...]) -> list[str]:
    weights = sorted({entry.weights for entry in entries if entry.weights})
    reports = {entry.report for entry in entries if entry.report}
    if not weights and not reports:
        return []
    of_weights = f" of the weights {', '.join(weights)}" if weights else ""
    count = max(len(reports), 1)
    return [f"labels were given in {count} report{'s' if count > 1 else ''}{of_weights}"]
