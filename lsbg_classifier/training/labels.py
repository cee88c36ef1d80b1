"""Labels that people gave by eye, several of them perhaps: a CSV file of judgements.

Columns: ``ra``, ``dec`` (ICRS degrees), ``label`` (``LSBG``, ``artifact`` or ``unsure``; also 1, 0
and empty), ``labeller``, ``time`` (ISO 8601) and ``chosen``, why the candidate was shown:
``uncertain``, ``random`` or ``browsed``. The last three may be missing.
"""

import csv
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from catalogs.errors import InputError, one_line
from catalogs.matching import KnownPositions

LSBG, ARTIFACT, UNSURE = 1, 0, -1

_VERDICTS = {
    "lsbg": LSBG,
    "1": LSBG,
    "artifact": ARTIFACT,
    "0": ARTIFACT,
    "unsure": UNSURE,
    "": UNSURE,
}

CHOSEN = ("random", "uncertain", "browsed")
"""Why a candidate was shown; where labellers differ, the first of these holds."""


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
    positions : array of float64, shape (N, 2)
        ICRS degrees, of candidates.
    random : array of bool, shape (N,)
        Whether it was shown by chance.
    verdicts : mapping of str to array of int8, shape (N,)
        By labeller: 1 = LSBG, 0 = artifact, -1 = unsure or not judged.
    """

    name: str
    positions: np.ndarray
    random: np.ndarray
    verdicts: dict[str, np.ndarray]

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
        found = []
        for (first, ours), (second, theirs) in combinations(self.verdicts.items(), 2):
            both = (ours != UNSURE) & (theirs != UNSURE)
            if both.any():
                a, b = ours[both], theirs[both]
                agreed = float((a == b).mean())
                found.append(Agreement(first, second, int(both.sum()), agreed, cohen_kappa(a, b)))
        return found


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


def read_judgements(path: Path | str) -> Judgements:
    """Read a file of judgements.

    A labeller's later judgement of a position replaces the earlier one: later by time where all
    rows have one, else by their order.

    Raises
    ------
    InputError
        If it is no such file, with the number of the line that is wrong.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(path, csv.DictReader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{path}: not a CSV file of labels ({reason})") from error
    if not rows:
        raise InputError(f"{path}: holds no labels")
    if all(row.time is not None for row in rows):
        rows.sort(key=lambda row: row.time)
    return _gathered(str(path), rows)


@dataclass(frozen=True)
class _Row:
    position: tuple[float, float]
    verdict: int
    labeller: str
    time: datetime.datetime | None
    chosen: str


def _rows(path: Path, reader: csv.DictReader) -> Iterator[_Row]:
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in ("ra", "dec", "label") if name not in names]
    if missing:
        raise InputError(
            f"{path}: line 1: no column {' and '.join(missing)}; the header must be "
            "ra,dec,label or ra,dec,label,labeller,time,chosen"
        )
    reader.fieldnames = names
    for row in reader:
        try:
            yield _row(row)
        except ValueError as error:
            raise InputError(f"{path}: line {reader.line_num}: {error}") from None


def _row(row: dict) -> _Row:
    """Read one row, or raise `ValueError` that says what is wrong."""
    if None in row:
        raise ValueError("more values than columns")
    text = {name: (value or "").strip() for name, value in row.items()}
    label = text["label"].lower()
    if label not in _VERDICTS:
        raise ValueError(f"label is LSBG, artifact or unsure, not {text['label'][:40]!r}")
    chosen = text.get("chosen", "").lower() or "browsed"
    if chosen not in CHOSEN:
        raise ValueError(f"chosen is {', '.join(CHOSEN)}, not {chosen[:40]!r}")
    return _Row(
        (_degrees("ra", text["ra"], 0, 360), _degrees("dec", text["dec"], -90, 90)),
        _VERDICTS[label],
        "".join(filter(str.isprintable, text.get("labeller", "")))[:60],
        _time(text.get("time", "")),
        chosen,
    )


def _degrees(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is not a number, but {text[:40]!r}") from None
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high} degrees, not {text[:40]}")
    return value


def _time(text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time is not of ISO 8601: {text[:40]!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _gathered(name: str, rows: list[_Row]) -> Judgements:
    """Bring the judgements of each candidate together, the last of each labeller."""
    positions = np.array([row.position for row in rows])
    candidate, first = _candidates(positions)
    verdicts = {
        labeller: np.full(len(first), UNSURE, np.int8)
        for labeller in sorted({row.labeller for row in rows})
    }
    random = np.zeros(len(first), bool)
    for row, number in zip(rows, candidate, strict=True):
        verdicts[row.labeller][number] = row.verdict
        random[number] |= row.chosen == "random"
    return Judgements(name, positions[first], random, verdicts)


def _candidates(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each row's candidate, and the first row of each candidate."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs, count = KnownPositions(positions).pairs(), len(positions)
    links = coo_array((np.ones(len(pairs)), pairs.T), (count, count))
    _, component = connected_components(links, directed=False)
    _, first, candidate = np.unique(component, return_index=True, return_inverse=True)
    return candidate, first
