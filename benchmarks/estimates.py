"""What a survey of a billion rows takes, computed from measured rates."""

import re
from dataclasses import dataclass
from pathlib import Path

ROWS, TILES, CANDIDATES = 1_000_000_000, 10_000, 300
"""Rows of the catalog, tiles, and candidates a tile that a cut selects."""

WORKERS = 100
"""Of the larger computation; the smaller one is for two, as measured."""

_SCORING = re.compile(r"^\| 1 -> 2 Dask worker processes \| \S+ -> ([\d.]+)/s", re.MULTILINE)


@dataclass(frozen=True)
class Rates:
    """What was measured of a catalog in a folder of files.

    Attributes
    ----------
    columns : int
    row_bytes : float
        On the disk.
    planning, writing : float
        Rows a second, by two workers.
    """

    columns: int
    row_bytes: float
    planning: float
    writing: float


def scoring_rate(page: Path) -> float:
    """Return the candidates a second that two workers score, from the table of a page.

    Parameters
    ----------
    page : Path
        docs/scale.md

    Raises
    ------
    ValueError
        If the page has no such row.
    """
    found = _SCORING.search(page.read_text())
    if found is None:
        raise ValueError(f"{page}: has no row of 1 -> 2 Dask worker processes")
    return float(found[1])


def estimate(catalogs: list[Rates], scoring: float) -> str:
    """Return a Markdown table of the hours that each step takes.

    Parameters
    ----------
    catalogs : list of Rates
        A column of the table for each.
    scoring : float
        Candidates a second, by two workers.

    Returns
    -------
    str
    """
    selected = TILES * CANDIDATES
    names = [f"{rates.columns:,} columns" for rates in catalogs]
    lines = [("size of the catalog", [f"{ROWS * r.row_bytes / 1e12:.2g} TB" for r in catalogs])]
    steps = [_hours(rates, scoring, selected) for rates in catalogs]
    for step in steps[0]:
        lines.append((step, [_text(hours[step]) for hours in steps]))
    totals = [sum(hours.values()) for hours in steps]
    lines.append(("together, two workers", [_text(total) for total in totals]))
    shares = [total * 2 / WORKERS for total in totals]
    lines.append((f"together, {WORKERS} workers, if nothing else limits them", map(_text, shares)))
    lines.append((f"bytes that {WORKERS} workers then read and write", _traffic(catalogs, steps)))
    head = f"| {ROWS:,} rows, of which {selected:,} are selected in {TILES:,} tiles | "
    rule = "|---" * (len(names) + 1) + "|"
    body = [f"| {what} | {' | '.join(cells)} |" for what, cells in lines]
    return "\n".join([head + " | ".join(names) + " |", rule, *body])


def _hours(rates: Rates, scoring: float, selected: int) -> dict[str, float]:
    """Return the hours of each step with two workers."""
    return {
        "hashing and planning": ROWS / rates.planning / 3600,
        "scoring": selected / scoring / 3600,
        "writing": ROWS / rates.writing / 3600,
    }


def _traffic(catalogs: list[Rates], steps: list[dict[str, float]]) -> list[str]:
    """Return the rate while files are hashed and written: each byte is read twice, written once."""
    texts = []
    for rates, hours in zip(catalogs, steps, strict=True):
        seconds = (hours["hashing and planning"] + hours["writing"]) * 3600 * 2 / WORKERS
        texts.append(f"{3 * ROWS * rates.row_bytes / seconds / 1e9:.2g} GB/s")
    return texts


def _text(hours: float) -> str:
    """Return hours, or minutes, with two digits that count, such as 550 h."""
    value, unit = (hours, "h") if hours >= 1 else (hours * 60, "min")
    return f"{float(f'{value:.2g}'):g} {unit}"
