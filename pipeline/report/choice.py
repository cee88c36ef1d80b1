"""Which candidates are in the gallery, and which a labeller must judge."""

from dataclasses import dataclass, field

import numpy as np

from catalogs.flags import Flag
from pipeline.report.candidates import Candidates
from pipeline.report.queue import QueuePlan

_SEED = 20211
"""Of the random candidates: fixed, so that all labellers of a catalog see the same ones."""

_RANDOM_SHARE = 10
"""Where there is no room for all, one place in so many is for a candidate drawn at random."""


@dataclass(frozen=True)
class Choice:
    """The candidates that a report shows.

    Attributes
    ----------
    rows : array of int64, shape (N,)
        Rows of the catalog: the highest probability first, then those without one.
    to_label : array of int64, shape (K,)
        Places in `rows`, in the order in which they must be labelled.
    is_random : array of bool, shape (K,)
        Which of these were drawn at random from all that have a probability; the others are those
        that teach most, by the strategy.
    left_out : int
        Rows that there was no room for; those that the selection did not keep are not counted.
    queue : array of int8, shape (K,)
        Which labeller each is for: a number of `plan.labellers`, or -1 for all.
    plan : QueuePlan
        How the set to label was chosen.
    """

    rows: np.ndarray
    to_label: np.ndarray
    is_random: np.ndarray
    left_out: int
    queue: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))
    plan: QueuePlan = field(default_factory=QueuePlan)


def choose(
    candidates: Candidates,
    *,
    count: int,
    to_label: int,
    threshold: float,
    plan: QueuePlan | None = None,
) -> Choice:
    """Choose what a report shows.

    Half of the set to label is drawn at random, whatever the probabilities are: an honest test.
    The other half teaches most, by the strategy of the plan. They are mixed in an order that does
    not tell which is which. Where no candidate has a probability, both halves are drawn at random
    from those with a position.

    Parameters
    ----------
    candidates : Candidates
    count : int
        Of the gallery, at most. Where there are more, it holds the set to label, the highest
        probabilities, and for one place in ten a candidate drawn at random.
    to_label : int
        Of the set to label of one labeller, at most.
    threshold : float
        Where probabilities are most uncertain.
    plan : QueuePlan, optional
        None: the most uncertain, the same for all labellers.

    Returns
    -------
    Choice
    """
    plan = plan or QueuePlan()
    generator = np.random.default_rng(_SEED)
    scored = candidates.scored
    wanted = min(plan.size(to_label), count)
    label_rows, is_random = _to_label(candidates, wanted, threshold, generator, plan)
    others = np.flatnonzero(
        ~np.isfinite(candidates.probability) & (candidates.flags & Flag.NOT_SELECTED == 0)
    )
    shown = scored
    if not len(scored):
        others = np.concatenate([label_rows, np.setdiff1d(others, label_rows)])
    elif len(scored) > count:
        shown = _shown(candidates, scored, label_rows, count, generator)
    rows = np.concatenate([shown, others[: count - len(shown)]])
    rows = rows[np.lexsort((rows, -np.nan_to_num(candidates.probability[rows], nan=-1)))]
    by_row = np.argsort(rows)
    places = by_row[np.searchsorted(rows, label_rows, sorter=by_row)]
    left_out = len(scored) + len(others) - len(rows)
    return Choice(rows, places, is_random, left_out, _owners(plan, is_random, to_label), plan)


def _owners(plan: QueuePlan, is_random: np.ndarray, each: int) -> np.ndarray:
    """Divide both halves among the labellers, each in the same way."""
    owners = np.empty(len(is_random), np.int8)
    for half in (is_random, ~is_random):
        owners[half] = plan.owners(int(np.count_nonzero(half)), each)
    return owners


def _to_label(candidates, count: int, threshold: float, generator, plan: QueuePlan):
    """Return the rows to label in their order, and which of them are the random ones."""
    scored = candidates.scored
    if not len(scored):
        return _without_probabilities(candidates, count, generator)
    count = min(count, len(scored))
    random = generator.choice(scored, count // 2, replace=False)
    rest = np.setdiff1d(scored, random)
    teaching = plan.teaching(candidates, rest, count - len(random), threshold)
    is_random = generator.permutation(np.arange(count) < len(random))
    rows = np.empty(count, np.int64)
    rows[is_random], rows[~is_random] = random, teaching
    return rows, is_random


def _without_probabilities(candidates, count: int, generator):
    """Draw all candidates of the set to label; half of them count as random, the others teach."""
    placed = np.isfinite(candidates.positions).all(axis=1)
    selected = candidates.flags & Flag.NOT_SELECTED == 0
    pool = np.flatnonzero(placed & selected)
    rows = generator.choice(pool, min(count, len(pool)), replace=False)
    return rows, generator.permutation(np.arange(len(rows)) < len(rows) // 2)


def _shown(candidates, scored, label_rows, count: int, generator) -> np.ndarray:
    """Return as many scored rows as there is room for."""
    rest = np.setdiff1d(scored, label_rows)
    rest = rest[np.argsort(-candidates.probability[rest], kind="stable")]
    free = count - len(label_rows)
    best = free - free // _RANDOM_SHARE
    random_rows = generator.choice(rest[best:], free - best, replace=False)
    return np.concatenate([label_rows, rest[:best], random_rows])
