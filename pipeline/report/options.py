"""What a report shows: its options, each with its default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalogs import InputError
from pipeline.report.queue import check_queue


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes
    ----------
    cutouts : str, optional
        Where images come from that the run did not keep; see `lsbg_classifier.open_source`.
    source_options : mapping
        Options of that source, such as ``url``.
    truth : path, optional
        A FITS table of the same rows with a column ``LABEL``: 1 = LSBG, 0 = not.
    labels : path or sequence of paths
        CSV files that the labelling page exported; see `lsbg_classifier.training.label_files`.
        Several count as one.
    against : str, optional
        Other weights: the page shows where they disagree with those of the catalog. With labels,
        both are compared on those that were chosen at random.
    completeness : path, optional
        ``completeness.json`` that mocks have measured; see `lsbg completeness`.
    columns : sequence of str, optional
        Columns of the catalog to show; by default see `columns.chosen_columns`.
    count : int
        Candidates in the gallery, at most.
    to_label : int
        Candidates in the set to label, at most; see `choice.choose`.
    heat_maps : int, optional
        The first so many candidates get a heat map, by default 1,000 where the weights are on
        this machine.
    context : float, optional
        Arcseconds across of a wider field around the first 1,000 candidates and the set to label;
        none by default. The images come from `cutouts`.
    threshold : float, optional
        Called an LSBG above this; by default what the catalog says, or 0.5.
    figures : bool
        Write the folder ``figures`` too: each plot as PNG and PDF.
    overwrite : bool
        Replace a report that exists.
    catalog_options : mapping
        ``table``, ``ra``, ``dec`` or ``position_unit``; see `catalogs.open_catalog`.
    strategy : str, optional
        How the half of the set to label that teaches is chosen; see
        `lsbg_classifier.training.strategies`. By default ``both`` where the run has kept its
        cutouts, else ``uncertain``.
    labellers : sequence of str
        Each gets a set of its own; none: all label the same.
    overlap : float
        Part of each labeller's set that all of them see, from 0 to 1.
    """

    cutouts: str | None = None
    source_options: Mapping[str, object] = field(default_factory=dict)
    truth: Path | None = None
    labels: Path | str | Sequence[Path | str] = ()
    against: str | None = None
    completeness: Path | None = None
    columns: Sequence[str] | None = None
    count: int = 100_000
    to_label: int = 400
    heat_maps: int | None = None
    context: float | None = None
    threshold: float | None = None
    figures: bool = False
    overwrite: bool = False
    catalog_options: Mapping[str, str] = field(default_factory=dict)
    strategy: str | None = None
    labellers: Sequence[str] = ()
    overlap: float = 0.2

    @property
    def label_files(self) -> tuple[Path, ...]:
        """The files of labels, also if one was named alone."""
        labels = self.labels or ()
        return tuple(map(Path, (labels,) if isinstance(labels, str | Path) else labels))

    def __post_init__(self):
        """Refuse numbers that make no sense; make a list of one file of labels."""
        object.__setattr__(self, "labels", self.label_files)
        check_queue(self.strategy, self.labellers, self.overlap)
        if self.count < 1:
            raise InputError(f"at least one candidate must be shown, not {self.count}")
        if self.to_label < 0 or (self.heat_maps or 0) < 0:
            raise InputError("the set to label and the heat maps cannot be fewer than none")
