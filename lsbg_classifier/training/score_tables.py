"""Tables of scores, the same for Markdown, for a page, and for a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lsbg_classifier.training.intervals import METRICS, TITLES


@dataclass(frozen=True)
class Section:
    """A table with a title, and what is said of it.

    Attributes
    ----------
    title : str
    lines : sequence of str
        Sentences above the table.
    header : sequence of str
    rows : sequence of sequences of str
    """

    title: str
    lines: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    def to_markdown(self) -> list[str]:
        """Return the lines and the table, without the title; names are no Markdown."""
        lines = [part for line in self.lines for part in (plain(line), "")]
        return lines + (markdown_table(self.header, self.rows) if self.rows else [])

    def to_text(self) -> list[str]:
        """Return lines for a terminal."""
        return [
            *self.lines,
            *(
                f"{self.title.lower()}, {row[0]}: "
                + ", ".join(
                    f"{name} {value}" for name, value in zip(self.header[1:], row[1:], strict=True)
                )
                for row in self.rows
            ),
        ]


def score_section(
    title: str,
    columns: Mapping[str, Mapping],
    lines: Sequence[str] = (),
    signed: Sequence[str] = (),
) -> Section:
    """Make a table with a row for each of `METRICS` and a column for each set of scores.

    Parameters
    ----------
    title : str
    columns : mapping of str to mapping
        For each name of a column value and interval of scores; those that it lacks are empty.
    lines : sequence of str
        What is said above the table.
    signed : sequence of str
        Names of columns with differences, which are written with their sign.

    Returns
    -------
    Section
    """
    rows = [
        [
            TITLES.get(metric, metric),
            *(
                score_text(scores[metric], "+.3f" if name in signed else ".3f")
                if metric in scores
                else ""
                for name, scores in columns.items()
            ),
        ]
        for metric in METRICS
    ]
    return Section(title, lines, ["score", *columns], rows)


def score_text(values: Sequence[float], form: str = ".3f") -> str:
    """Write a score, and the ends of its interval where there are any.

    Parameters
    ----------
    values : sequence of float
        The score; or the score, and the low and the high end of its interval.
    form : str
        Format of each number.

    Returns
    -------
    str
        ``not defined`` where the score is not finite.
    """
    value, *interval = values
    if not np.isfinite(value):
        return "not defined"
    if not interval:
        return f"{value:{form}}"
    low, high = interval
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def defined(values: Sequence[float]) -> list[float | None]:
    """Put None in place of NaN, which JSON does not know."""
    return [value if np.isfinite(value) else None for value in values]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
        As long as the header. Letters that mean something in Markdown are escaped in all cells.

    Returns
    -------
    list of str
    """
    lines = [" | ".join(map(plain, cells)) for cells in (header, *rows)]
    return [f"| {lines[0]} |", "|---" * len(header) + "|", *(f"| {line} |" for line in lines[1:])]


def plain(text: str) -> str:
    """Write a text so that it is no Markdown."""
    return "".join(f"\\{letter}" if letter in "|*_`[]<>\\" else letter for letter in text)
