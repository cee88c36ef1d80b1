"""Labels that people gave by eye, several of them perhaps: what each said, and what they agree on.

See `lsbg_classifier.training.label_files` for the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.matching import KnownPositions
from lsbg_classifier.training.label_files import (
    ARTIFACT,
    LSBG,
    UNSURE,
    Judgement,
    read_label_file,
)


@dataclass(frozen=True)
class Agreement:
    """How far two labellers agree on what both called LSBG or artifact.

    Attributes
    ----------
    first, second : str
    count : int
        Candidates that both judged.
    agreed : float
        Fraction of them that got the same label.
    kappa : float
        Cohen's: 1 is perfect, 0 what chance would give; NaN where both gave one label only.
    """

    first: str
    second: str
    count: int
    agreed: float
    kappa: float

    def cells(self) -> list[str]:
        """Return names, number, agreement and kappa as texts for a table."""
        kappa = f"{self.kappa:.2f}" if np.isfinite(self.kappa) else "not defined"
        names = f"{self.first or 'no name'} and {self.second or 'no name'}"
        return [names, f"{self.count:,}", f"{self.agreed:.0%}", kappa]


AGREEMENT_HEADER = ("labellers", "judged by both", "agreed", "Cohen's kappa")
"""Names of what `Agreement.cells` returns."""


@dataclass(frozen=True)
class Consensus:
    """One label a candidate.

    Attributes
    ----------
    positions : array of float64, shape (N, 2)
        ICRS degrees.
    labels : array of int8, shape (N,)
        1 = LSBG, 0 = artifact.
    random : array of bool, shape (N,)
        Whether the candidate was shown by chance, so that it may judge weights.
    unsure, ties : int
        Candidates left out: nobody was sure, or as many said LSBG as artifact.
    """

    positions: np.ndarray
    labels: np.ndarray
    random: np.ndarray
    unsure: int
    ties: int

    def notes(self) -> tuple[str, ...]:
        """Say what was left out."""
        counts = {"unsure": self.unsure, "ties between labellers": self.ties}
        return tuple(f"{count} left out: {why}" for why, count in counts.items() if count)


@dataclass(frozen=True)
class Judgements:
    """What labellers said, the last word of each on each candidate.

    Attributes
    ----------
    name : str
        Of the files.
    positions : array of float64, shape (N, 2)
        ICRS degrees, of candidates.
    random : array of bool, shape (N,)
        Whether it was shown by chance.
    verdicts : mapping of str to array of int8, shape (N,)
        By labeller: 1 = LSBG, 0 = artifact, -1 = unsure or not judged.
    entries : tuple of Judgement
        Everything that was said, the later last.
    """

    name: str
    positions: np.ndarray
    random: np.ndarray
    verdicts: dict[str, np.ndarray]
    entries: tuple[Judgement, ...] = ()

    def consensus(self) -> Consensus:
        """Take the majority of those who were sure."""
        votes = np.stack(list(self.verdicts.values()))
        lsbgs, artifacts = (votes == LSBG).sum(axis=0), (votes == ARTIFACT).sum(axis=0)
        unsure, decided = lsbgs + artifacts == 0, lsbgs != artifacts
        return Consensus(
            self.positions[decided],
            (lsbgs > artifacts)[decided].astype(np.int8),
            self.random[decided],
            int(unsure.sum()),
            int((~decided & ~unsure).sum()),
        )

    def agreements(self) -> list[Agreement]:
        """Compare every two labellers who judged some of the same candidates."""
        agreements = []
        for (first, ours), (second, theirs) in combinations(self.verdicts.items(), 2):
            both = (ours != UNSURE) & (theirs != UNSURE)
            if both.any():
                a, b = ours[both], theirs[both]
                same = float((a == b).mean())
                kappa = cohen_kappa(a, b)
                agreements.append(Agreement(first, second, int(both.sum()), same, kappa))
        return agreements

    def agreement_notes(self) -> tuple[str, ...]:
        """Say in sentences how far every two labellers agree."""
        lines = []
        for agreement in self.agreements():
            names, count, same, kappa = agreement.cells()
            lines.append(f"{names} judged {count} of the same: {same} agreed, kappa {kappa}")
        return tuple(lines)

    def with_positions(self, positions: Sequence[tuple[float, float]]) -> "Judgements":
        """Return the same with another position for each of `entries`, put together again."""
        entries = [
            replace(entry, position=(float(ra), float(dec)))
            for entry, (ra, dec) in zip(self.entries, positions, strict=True)
        ]
        return gather(self.name, entries)


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Return the agreement of two labellings beyond chance (Cohen 1960).

    Parameters
    ----------
    first, second : arrays of int, shape (N,)
        1 or 0, at least one of each array.

    Returns
    -------
    float
        NaN where chance alone would make them agree in everything.
    """
    agreed = (first == second).mean()
    chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    return float((agreed - chance) / (1 - chance)) if chance < 1 else float("nan")


def read_judgements(*paths: Path | str) -> Judgements:
    """Read one file of judgements, or several together.

    A labeller's later judgement of a position replaces the earlier one: later by time where all
    rows have one, else by their order. Several files count as one, in the order in which they are
    given; judgements without a labeller then get the name of their file, so that those of two
    files are of two labellers.

    Parameters
    ----------
    *paths : path

    Raises
    ------
    InputError
        If one is no such file, with the number of the line that is wrong.
    """
    entries: list[Judgement] = []
    for path in map(Path, paths):
        entries_of_file = read_label_file(path)
        if not entries_of_file:
            raise InputError(f"{path}: holds no labels")
        if len(paths) > 1:
            name = _name_of(path, paths)
            entries_of_file = [
                replace(entry, labeller=entry.labeller or name) for entry in entries_of_file
            ]
        # a position may end in zeros by chance, those of a whole file do not
        decimals = max(entry.decimals for entry in entries_of_file)
        entries += [replace(entry, decimals=decimals) for entry in entries_of_file]
    return gather(", ".join(map(str, paths)), entries)


def _name_of(path: Path, paths: Sequence[Path | str]) -> str:
    """Name whoever gave the labels of a file by it, and by its folder if others have its name."""
    same = {Path(other).resolve() for other in paths if Path(other).stem == path.stem}
    return path.stem if len(same) == 1 else str(path.with_suffix(""))[-60:]


def gather(name: str, entries: list[Judgement]) -> Judgements:
    """Bring the judgements of each candidate together, the last of each labeller.

    Parameters
    ----------
    name : str
        Of the files.
    entries : list of Judgement
        At least one. They are sorted by time where all have one; else the later comes last.

    Returns
    -------
    Judgements
        Entries at the same position, as `catalogs.matching.KnownPositions` tells, are of one
        candidate.
    """
    times = [entry.time for entry in entries if entry.time is not None]
    if len(times) == len(entries):
        order = sorted(range(len(entries)), key=times.__getitem__)
        entries = [entries[number] for number in order]
    positions = np.array([entry.position for entry in entries])
    candidate, first = _candidates(positions)
    verdicts = {
        labeller: np.full(len(first), UNSURE, np.int8)
        for labeller in sorted({entry.labeller for entry in entries})
    }
    random = np.zeros(len(first), bool)
    for entry, number in zip(entries, candidate, strict=True):
        verdicts[entry.labeller][number] = entry.verdict
        random[number] |= entry.chosen == "random"
    return Judgements(name, positions[first], random, verdicts, tuple(entries))


def _candidates(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each row's candidate, and the first row of each candidate."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs, count = KnownPositions(positions).pairs(), len(positions)
    links = coo_array((np.ones(len(pairs)), pairs.T), (count, count))
    _, component = connected_components(links, directed=False)
    _, first, candidate = np.unique(component, return_index=True, return_inverse=True)
    return candidate, first
