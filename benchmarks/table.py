"""Rows of a table of measurements, and the page that holds the table."""

from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    what : str
    measured : str
    ratio : float
        What the bar is about.
    bar : float
    most : bool
        Whether the bar is the largest ratio that is wanted, not the smallest.
    """

    what: str
    measured: str
    ratio: float
    bar: float
    most: bool = False

    def markdown(self) -> str:
        """Return the row of a Markdown table."""
        met = self.ratio <= self.bar if self.most else self.ratio >= self.bar
        bar = f"{'at most' if self.most else 'at least'} {self.bar:g}"
        cells = (self.what, self.measured, f"{self.ratio:.3g}", bar, "yes" if met else "**no**")
        return f"| {' | '.join(cells)} |"


def markdown(rows: list[Row]) -> str:
    """Return the whole table."""
    head = ["| what | measured | ratio | bar | met |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(row.markdown() for row in rows)])


def write_into(page: Path, rows: list[Row], marks: tuple[str, str] = (BEGIN, END)):
    """Put the table between two marks of the page."""
    begin, end = marks
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{markdown(rows)}\n{end}{after}")
