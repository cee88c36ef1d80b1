"""What each threshold keeps and takes, as the card of a weight set holds it, and says it in words.

A table is a mapping of columns, all of one length: ``threshold``, ``completeness`` (part of the
LSBGs above the threshold), ``artifacts_taken`` (part of the artifacts above it), and the purity
that follows where one candidate in 2, 5 or 20 is an LSBG, in the columns of `MIXES`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

MIXES: Mapping[str, float] = MappingProxyType(
    {"purity_1_in_2": 0.5, "purity_1_in_5": 0.2, "purity_1_in_20": 0.05}
)
"""Columns of purity, and the fraction of LSBGs among the candidates that each is for."""

COLUMNS = ("threshold", "completeness", "artifacts_taken", *MIXES)
"""Columns of a table."""

THRESHOLDS = tuple(number / 10 for number in range(1, 10))


def purity_of(completeness: float, artifacts_taken: float, fraction: float) -> float:
    """Return the part of LSBGs among the candidates above a threshold.

    Parameters
    ----------
    completeness, artifacts_taken : float
        Part of the LSBGs, and of the artifacts, above the threshold.
    fraction : float
        Of LSBGs among all candidates.

    Returns
    -------
    float
        NaN where no candidate is above the threshold.

    Examples
    --------
    >>> round(purity_of(0.9, 0.1, 0.5), 2), round(purity_of(0.9, 0.1, 0.05), 2)
    (0.9, 0.32)
    """
    found, wrong = completeness * fraction, artifacts_taken * (1 - fraction)
    return found / (found + wrong) if found + wrong > 0 else math.nan


def threshold_table(labels: Iterable, probabilities: Iterable) -> dict[str, list[float]]:
    """Measure what each threshold keeps and takes.

    Parameters
    ----------
    labels : iterable of int or bool, length N
        Both classes must be there.
    probabilities : iterable of float, length N

    Returns
    -------
    dict of str to list of float
        `COLUMNS`, to three decimals. Thresholds above which no candidate lies are left out.
    """
    classes: dict[bool, list[float]] = {True: [], False: []}
    for label, probability in zip(labels, probabilities, strict=True):
        classes[bool(label)].append(float(probability))
    rows = []
    for threshold in THRESHOLDS:
        kept, taken = (_part_above(classes[is_lsbg], threshold) for is_lsbg in (True, False))
        if kept or taken:
            purity = [purity_of(kept, taken, fraction) for fraction in MIXES.values()]
            rows.append([round(value, 3) for value in (threshold, kept, taken, *purity)])
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}


def _part_above(probabilities: Sequence[float], threshold: float) -> float:
    return sum(value > threshold for value in probabilities) / len(probabilities)


def is_table(value: object) -> bool:
    """Say whether a value of a card's JSON is a table of thresholds."""
    if not isinstance(value, dict) or set(value) != set(COLUMNS):
        return False
    columns = list(value.values())
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return False
    return bool(columns[0]) and all(_is_part(number) for column in columns for number in column)


def _is_part(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def describe_table(table: Mapping[str, Sequence[float]]) -> list[str]:
    """Say a table of thresholds in plain words.

    Parameters
    ----------
    table : mapping of str to sequence of float
        As of `threshold_table`.

    Returns
    -------
    list of str
        A heading, and a line for each threshold.
    """
    rows = zip(*(table[column] for column in COLUMNS), strict=True)
    return [
        "above  LSBGs kept  artifacts taken  LSBGs among all above, where 1 candidate in 2, 5, 20 "
        "is one",
        *(
            f"{threshold:<5g}  {_percent(kept):>10}  {_percent(taken):>15}  "
            + "  ".join(f"{_percent(purity):>4}" for purity in purities)
            for threshold, kept, taken, *purities in rows
        ),
    ]


def _percent(part: float) -> str:
    """Return a part as percent; what is not quite none or all is not said to be."""
    text = f"{part:.0%}"
    if text == "0%" and part > 0:
        return "<1%"
    return ">99%" if text == "100%" and part < 1 else text
