"""The queue of a labeller: what teaches most, by a strategy, and who of several sees what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from catalogs import InputError
from lsbg_classifier.training.strategies import (
    NEED_FEATURES,
    STRATEGIES,
    Pool,
    learning_order,
    looked_at,
)
from pipeline.report.candidates import Candidates
from pipeline.report.data import visible
from pipeline.report.heat import find_used_weights
from pipeline.report.pictures import Pictures

EVERYBODY = -1
"""In a queue: a candidate that all labellers see."""

ReadFeatures = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From rows (N,) to features (N, M), and which rows have them, bool (N,)."""

_SEED = 20211


@dataclass(frozen=True)
class QueuePlan:
    """How the set to label is chosen and divided.

    Attributes
    ----------
    strategy : str
        Of the half that teaches; one of `lsbg_classifier.training.strategies.STRATEGIES`.
    labellers : tuple of str
        Each gets a set of its own; none: all labellers see the same.
    overlap : float
        Part of each set that all of them see, from 0 to 1.
    read_features : callable, optional
        How the network sees some rows; needed by strategies that look at that.
    notes : tuple of str
        What is done otherwise than asked for, in sentences.
    """

    strategy: str = "uncertain"
    labellers: tuple[str, ...] = ()
    overlap: float = 1.0
    read_features: ReadFeatures | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def size(self, each: int) -> int:
        """Return how many candidates all sets have together, if each labeller gets so many."""
        shared = self._shared(each)
        return shared + (each - shared) * max(len(self.labellers), 1)

    def owners(self, count: int, each: int) -> np.ndarray:
        """Say who sees each of so many candidates, in their order.

        The shared ones and those of each labeller are spread evenly over the order.

        Parameters
        ----------
        count : int
        each : int
            Candidates in the set of one labeller.

        Returns
        -------
        array of int8, shape (count,)
            Number of the labeller, or `EVERYBODY`.
        """
        people = len(self.labellers)
        if not people or not count:
            return np.full(count, EVERYBODY, np.int8)
        shared = self._shared(each) / self.size(each)
        number = np.arange(count)
        is_shared = np.floor((number + 1) * shared + 1e-9) > np.floor(number * shared + 1e-9)
        turn = np.cumsum(~is_shared) - 1
        return np.where(is_shared, EVERYBODY, turn % people).astype(np.int8)

    def teaching(
        self, candidates: Candidates, rows: np.ndarray, count: int, threshold: float
    ) -> np.ndarray:
        """Choose what teaches most.

        Parameters
        ----------
        candidates : Candidates
        rows : array of int64, shape (N,)
            Those to choose from; all have a probability.
        count : int
            Candidates wanted, at most.
        threshold : float
            Where probabilities are most uncertain.

        Returns
        -------
        array of int64
            Rows, the first first.
        """
        pool = Pool(candidates.probability[rows], threshold)
        if self.strategy not in NEED_FEATURES or self.read_features is None:
            return rows[learning_order(self.strategy, pool, count, _SEED)]
        rows = rows[looked_at(self.strategy, pool, count, _SEED)]
        features, have = self.read_features(rows)
        seen = rows[have]
        pool = Pool(candidates.probability[seen], threshold, features[have])
        order = seen[learning_order(self.strategy, pool, count, _SEED)]
        return np.concatenate([order, rows[~have]])[:count]

    def describe(self, count: int) -> str:
        """Say what the half that teaches is, of so many candidates."""
        kinds = {
            "uncertain": "most uncertain",
            "diverse": "most diverse",
            "both": "uncertain and diverse",
            "random": "random ones to teach",
        }
        return f"{count} {kinds[self.strategy]}"

    def _shared(self, each: int) -> int:
        return each if not self.labellers else round(self.overlap * each)


def plan_queue(
    strategy: str | None,
    labellers: Sequence[str],
    overlap: float,
    candidates: Candidates,
    pictures: Pictures,
) -> QueuePlan:
    """Prepare a queue: check the options, and find out how the network sees candidates.

    Parameters
    ----------
    strategy : str or None
        None: ``both`` where the run has kept its cutouts and its weights are on this machine, so
        that nothing has to be fetched for it, and ``uncertain`` elsewhere.
    labellers : sequence of str
        Names.
    overlap : float
    candidates : Candidates
    pictures : Pictures

    Returns
    -------
    QueuePlan
        With the strategy ``uncertain`` and a note, where the one that is asked for needs cutouts
        or weights that are not there.

    Raises
    ------
    InputError
        If the strategy is unknown, or the labellers are.
    """
    check_queue(strategy, labellers, overlap)
    names = tuple(labellers)
    if strategy not in (*NEED_FEATURES, None):
        return QueuePlan(strategy, names, overlap)
    try:
        read = _reader(candidates, pictures, may_fetch=strategy is not None)
    except InputError as error:
        if strategy is None:
            return QueuePlan("uncertain", names, overlap)
        note = (
            f"The set to label is of the most uncertain, and not as --strategy {strategy}: {error}."
        )
        return QueuePlan("uncertain", names, overlap, notes=(note,))
    return QueuePlan(strategy or "both", names, overlap, read)


def check_queue(strategy: str | None, labellers: Sequence[str], overlap: float):
    """Refuse options of a queue that make no sense.

    Parameters
    ----------
    strategy : str or None
        None: chosen by what is there; see `plan_queue`.
    labellers : sequence of str
    overlap : float

    Raises
    ------
    InputError
        In one line.
    """
    if strategy not in (*STRATEGIES, None):
        raise InputError(f"--strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}")
    if not 0 <= overlap <= 1:
        raise InputError(f"--overlap is a part from 0 to 1, not {overlap:g}")
    folded = [name.casefold() for name in labellers]
    if not all(folded) or len(set(folded)) < len(folded) or len(folded) > 100:
        raise InputError("--labellers: give each name once, separated by commas, 100 at most")


def queue_facts(plan: QueuePlan, provenance: Mapping[str, str]) -> dict[str, object]:
    """Return what the page's data say of the queue, and of what labels must remember.

    Parameters
    ----------
    plan : QueuePlan
    provenance : mapping of str to str
        See `catalogs.Catalog.provenance`.

    Returns
    -------
    dict
        ``labellers``: names, ``teachAs``: why the others than the random ones are shown, as labels
        say it; ``weights``: name and the start of the sha256 of those that gave probabilities.
    """
    sha256 = visible(provenance.get("weights_sha256", ""))[:8]
    name = visible(provenance.get("weights", ""))
    return {
        "labellers": [visible(name) for name in plan.labellers],
        "teachAs": "uncertain" if plan.strategy == "uncertain" else "taught",
        "weights": f"{name} {sha256}".strip(),
    }


def _reader(candidates: Candidates, pictures: Pictures, may_fetch: bool) -> ReadFeatures:
    """Return what reads features: from the file beside the catalog, or by the network itself."""
    from pipeline.make_features import stored_features  # it reads reports' pictures itself

    stored = stored_features(candidates)
    if stored is not None:
        return lambda rows: stored.at(rows)[::2]
    if pictures.imaging is None or (pictures.kept is None and not may_fetch):
        raise InputError("there are no cutouts")
    weights = find_used_weights(candidates.catalog.provenance())

    def read(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from lsbg_classifier import load_classifier

        cutouts, have = pictures.read(rows)
        return load_classifier(weights).features(cutouts), have

    return read
