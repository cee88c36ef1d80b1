"""Find the candidates of a catalog that labels were given to, also where positions were rounded."""

from dataclasses import dataclass, replace

import numpy as np

from catalogs.errors import InputError
from catalogs.matching import SAME_POSITION
from catalogs.sphere import unit_vectors
from lsbg_classifier.training.judgements import Judgements

_WIDEST = 5.0
"""Arcseconds: a radius beyond which a label could be of a neighbour."""


@dataclass(frozen=True)
class MatchedJudgements:
    """Judgements of the candidates of a catalog.

    Attributes
    ----------
    judgements : Judgements
        Within 0.5" of candidates: those with rounded positions have the catalog's.
    notes : tuple of str
        What was assumed, and what was left out.
    """

    judgements: Judgements
    notes: tuple[str, ...]


def match_radius(decimals: int) -> float:
    """Return the arcseconds within which a label belongs to a candidate.

    0.5 as a rule; for positions that were rounded to three decimals, the farthest that rounding
    can have moved one. With fewer a neighbour could be meant as well, so that only those count
    which lie on a candidate, within 0.5 again.
    """
    moved = moved_by_rounding(decimals)
    return moved if SAME_POSITION < moved <= _WIDEST else SAME_POSITION


def moved_by_rounding(decimals: int) -> float:
    """Return how many arcseconds rounding to so many decimals can move a position."""
    step = 3600 * 10.0**-decimals
    return float(np.hypot(step / 2, step / 2))


def rounded_decimals(judgements: Judgements) -> list[int]:
    """Return the numbers of decimals of positions that were rounded, each once."""
    decimals = {entry.decimals for entry in judgements.entries}
    return sorted(number for number in decimals if moved_by_rounding(number) > SAME_POSITION)


def _rounding_notes(judgements: Judgements) -> list[str]:
    notes = []
    for decimals in rounded_decimals(judgements):
        radius = match_radius(decimals)
        if radius > SAME_POSITION:
            what = f'matched to candidates within {radius:.1f}"'
        else:
            moved = moved_by_rounding(decimals)
            what = (
                f'up to {moved:.0f}" off, too far to tell candidates apart: only those within '
                f'{SAME_POSITION}" of one count; give 4 decimals'
            )
        notes.append(f"positions with {decimals} decimals are {what}")
    return notes


def match_judgements(
    judgements: Judgements, positions: np.ndarray, catalog: str
) -> MatchedJudgements:
    """Give judgements the positions of the candidates of a catalog.

    Parameters
    ----------
    judgements : Judgements
    positions : array of float64, shape (N, 2)
        ICRS degrees of the candidates; NaN where there is none.
    catalog : str
        What the candidates are called in messages.

    Returns
    -------
    MatchedJudgements
        Labels that belong to no candidate are left out, and those of rounded positions with
        several candidates within the radius; the notes count both.

    Raises
    ------
    InputError
        If no label belongs to a candidate.
    """
    radius = np.array([match_radius(entry.decimals) for entry in judgements.entries])
    labelled = np.array([entry.position for entry in judgements.entries])
    rows, nearest, several = _nearest(labelled, positions, radius)
    usable = (rows >= 0) & ~several
    if not usable.any():
        raise InputError(_no_match(judgements, catalog, radius, nearest, several))
    notes = _rounding_notes(judgements)
    missing, unclear = (_count(labelled[chosen]) for chosen in (rows < 0, several))
    if missing:
        notes.append(f"{missing} left out: their positions are on no candidate of {catalog}")
    if unclear:
        notes.append(f'{unclear} left out: several candidates lie within {radius.max():.1f}"')
    usable_entries = tuple(np.array(judgements.entries, object)[usable])
    # positions that were not rounded stay as they are
    rounded = radius[usable] > SAME_POSITION
    places = np.where(rounded[:, None], positions[rows[usable]], labelled[usable])
    matched = replace(judgements, entries=usable_entries)
    return MatchedJudgements(matched.with_positions(places), tuple(notes))


def _count(positions: np.ndarray) -> int:
    return len(np.unique(positions, axis=0))


def _nearest(labelled, positions, radius: np.ndarray):
    """Match labels to candidates.

    Returns
    -------
    rows : array of int, shape (N,)
        Of the candidates; -1 where none is within the radius.
    nearest : array of float, shape (N,)
        Arcseconds to the nearest candidate.
    several : array of bool, shape (N,)
        Whether a second candidate could be meant.
    """
    from scipy.spatial import cKDTree

    none = np.full(len(labelled), -1), np.full(len(labelled), np.inf)
    placed = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if not len(placed):
        return *none, np.zeros(len(labelled), bool)
    count = min(2, len(placed))
    chords, places = cKDTree(unit_vectors(positions[placed])).query(
        unit_vectors(labelled), k=[*range(1, count + 1)]
    )
    distance = 3600 * np.degrees(2 * np.arcsin(np.clip(chords / 2, 0, 1)))
    nearest = distance[:, 0]
    rows = np.where(nearest <= radius, placed[places[:, 0]], -1)
    second = distance[:, 1] if count > 1 else none[1]
    several = (rows >= 0) & (nearest > SAME_POSITION) & (second <= radius)
    return rows, nearest, several


def _no_match(judgements, catalog: str, radius: np.ndarray, nearest, several) -> str:
    start = f"{judgements.name}: none of its {len(judgements.positions)} labels"
    if several.any():
        return (
            f"{start} belongs to one candidate of {catalog} alone; give positions with 5 decimals"
        )
    near = nearest.min() if len(nearest) else np.inf
    distance = f'{near:.1f}"' if near < 600 else f"{near / 3600:.1f} degrees"
    nearest_label = f"; the nearest is {distance} away" if np.isfinite(near) else ""
    if notes := _rounding_notes(judgements):
        nearest_label = f"{nearest_label}; {'; '.join(notes)}"
    where = f'lies within {radius.max():.1f}" of a candidate of {catalog}'
    return f"{start} {where}{nearest_label}; are they labels of another catalog?"
