"""What a study found, as a table and a figure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalogs.output import written_whole
from lsbg_classifier.training.evaluation_figures import draw_study
from lsbg_classifier.training.figure_style import write_figure
from lsbg_classifier.training.intervals import METRICS, TITLES
from lsbg_classifier.training.score_tables import defined, markdown_table, score_text


@dataclass(frozen=True)
class Row:
    """The scores of one training of a study.

    Attributes
    ----------
    name : str
    count : int
        Cutouts it was judged by.
    scores : mapping
        For each of `METRICS`: value, and the ends of its 95% interval.
    published : mapping of str to float
        The paper's scores of the same on its own sample.
    judged : tuple of arrays
        Labels and probabilities, shape (N,), for the figure; may be empty.
    """

    name: str
    count: int
    scores: Mapping[str, tuple[float, float, float]]
    published: Mapping[str, float] = field(default_factory=dict)
    judged: tuple[np.ndarray, np.ndarray] | tuple[()] = ()


@dataclass(frozen=True)
class Study:
    """Several trainings that differ in one thing.

    Attributes
    ----------
    title, sample, recipe : str
    seed : int
    rows : tuple of Row
    notes : tuple of str
    confusion : tuple of tuple of int
        With several classes: cutouts by true class (row) and by the class they were given.
    """

    title: str
    sample: str
    recipe: str
    seed: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    def to_markdown(self) -> str:
        """Write the table, the paper's scores last where there are any."""
        published = any(row.published for row in self.rows)
        header = ["", *(TITLES.get(name, name) for name in METRICS)]
        header += ["published accuracy", "published area under ROC"] * published
        lines = [
            f"# {self.title}",
            "",
            f"{self.sample}; {self.rows[0].count} cutouts to judge by; {self.recipe}; seed "
            f"{self.seed}. In brackets: 95% intervals.",
            "",
            *markdown_table(header, [self._cells(row, published) for row in self.rows]),
        ]
        if self.confusion:
            names = [row.name for row in self.rows]
            rows = [[name, *map(str, n)] for name, n in zip(names, self.confusion, strict=True)]
            lines += ["", *markdown_table(["is / was called", *names], rows)]
        lines += [line for note in self.notes for line in ("", note)]
        return "\n".join(lines) + "\n"

    def _cells(self, row: Row, published: bool) -> list[str]:
        """Return the cells of a row of the table."""
        theirs = [row.published.get(name) for name in ("accuracy", "auc")] * published
        return [
            row.name,
            *(score_text(row.scores[name]) for name in METRICS),
            *("" if value is None else f"{value:.3f}" for value in theirs),
        ]

    def write(self, folder: Path, *, pdf: bool = False):
        """Write ``study.json``, ``study.md`` and ``study.png``.

        In the JSON, null is a score that is not defined, such as purity where nothing was called an
        LSBG.

        Parameters
        ----------
        folder : Path
            Must exist.
        pdf : bool
            Write the figure as PDF too.
        """
        content = {
            "title": self.title,
            "sample": self.sample,
            "recipe": self.recipe,
            "seed": self.seed,
            "rows": [
                {
                    "name": row.name,
                    "count": row.count,
                    "scores": {name: defined(values) for name, values in row.scores.items()},
                    "published": dict(row.published),
                }
                for row in self.rows
            ],
            "notes": self.notes,
            "confusion": self.confusion,
        }
        with written_whole(folder / "study.json") as partial:
            partial.write_text(json.dumps(content, indent=2) + "\n")
        with written_whole(folder / "study.md") as partial:
            partial.write_text(self.to_markdown())
        scores = {row.name: row.scores for row in self.rows}
        curves = {row.name: row.judged for row in self.rows if row.judged}
        write_figure(draw_study(scores, curves), folder / "study.png", pdf=pdf)
