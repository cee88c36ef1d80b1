"""A job: its options, and the checks that let it fail early."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from catalogs import (
    AddedColumn,
    Catalog,
    Selection,
    check_output,
    find_selection,
    lsbg_columns,
    open_catalog,
)
from catalogs.errors import InputError
from catalogs.formats import check_name, format_named
from catalogs.urls import masked
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.scoring import check_match
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, WeightSet, find_weights
from pipeline.kept import check_kept
from pipeline.slurm import SlurmJobs

_PARQUET = ("parquet", "hats")
"""Formats that hold Parquet files."""

_TRANSFER = ("connections", "timeout")
"""Options of sources that do not change what they give."""


@dataclass(frozen=True)
class Options:
    """How a catalog is annotated; the defaults suit a laptop.

    Attributes
    ----------
    weights : str
        Name or path of the weight set.
    format : str, optional
        Name of the input's format in `catalogs.formats`, where its content does not say it.
    table : str, optional
        FITS extension, by name or number, where the file has several tables with positions.
    ra, dec : str, optional
        Position columns, where they are not found by their names.
    position_unit : str, optional
        ``deg`` or ``rad``, where the table does not say.
    select : str, optional
        Annotate only the rows that this keeps: a published cut (``des``, ``hsc``), a file of
        conditions, or an expression; see `catalogs.find_selection`. The rest gets no score and
        the flag NOT_SELECTED alone.
    style : str
        Names of the added columns: ``auto`` (as the input's own), ``upper``, ``lower``, ``rubin``.
    threshold : float, optional
        Probability above which a candidate is counted in the summary; the card's by default.
    source_options : mapping
        Options of the cutout source, such as ``connections`` or ``url``.
    scheduler : str, optional
        Address of a running Dask scheduler.
    workers : int, optional
        Without a scheduler: start so many worker processes instead of threads.
    cluster : path, optional
        TOML file that says how jobs of Slurm are started as workers; see `pipeline.slurm`.
    chunk_size : int
        Candidates a unit of work.
    resume : bool
        Go on with an unfinished run of the same job.
    keep_cutouts : bool
        Keep the cutouts of all scored rows beside the output; see `pipeline.kept.open_kept`.
    overwrite : bool
        Replace an output that exists.
    overwrite_columns : bool
        Replace columns of ours that the input already has.
    vo_metadata : bool
        Describe the columns of Parquet in a VOTable without data, as VOParquet has it.
    allow_mismatch : bool
        Score although the weights were made for other images than the source gives.
    """

    weights: str = DEFAULT_WEIGHTS
    format: str | None = None
    table: str | None = None
    ra: str | None = None
    dec: str | None = None
    position_unit: str | None = None
    select: str | None = None
    style: str = "auto"
    threshold: float | None = None
    source_options: Mapping[str, object] = field(default_factory=dict)
    scheduler: str | None = None
    workers: int | None = None
    cluster: str | Path | None = None
    chunk_size: int = 256
    resume: bool = False
    keep_cutouts: bool = False
    overwrite: bool = False
    overwrite_columns: bool = False
    vo_metadata: bool = False
    allow_mismatch: bool = False

    def __post_init__(self):
        """Refuse numbers that make no sense."""
        if self.chunk_size < 1 or (self.workers is not None and self.workers < 1):
            raise InputError("chunk_size and workers must be at least 1")
        if sum(how is not None for how in (self.scheduler, self.workers, self.cluster)) > 1:
            raise InputError("a scheduler, workers and a cluster exclude each other; choose one")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(f"the threshold must be between 0 and 1, not {self.threshold}")


@dataclass(frozen=True)
class Job:
    """A checked job: everything is there, nothing is written yet."""

    catalog: Catalog
    output: Path
    source: CutoutSource
    weights: WeightSet
    options: Options
    selection: Selection | None = None
    jobs: SlurmJobs | None = None

    @property
    def threshold(self) -> float:
        """Return the probability above which a candidate counts as an LSBG."""
        given = self.options.threshold
        return self.weights.card.threshold if given is None else given

    @property
    def columns(self) -> tuple[AddedColumn, ...]:
        """The columns that are added: probability and flags."""
        return tuple(lsbg_columns(self.catalog.column_names, style=self.options.style))

    @property
    def journal_folder(self) -> Path:
        """Where unfinished results are kept: beside the output."""
        return journal_of(self.output)

    def identity(self) -> dict:
        """Everything that decides the result, as JSON values."""
        columns, options = self.catalog.position_columns, self.options.source_options
        fingerprint = getattr(self.source, "fingerprint", None)
        return {
            "input": self.catalog.fingerprint(),
            "table": self.options.table,
            "position": [columns.ra, columns.dec, columns.unit],
            "select": None if self.selection is None else self.selection.text,
            "weights": self.weights.card.name,
            "weights_sha256": self.weights.card.sha256,
            "source": masked(self.source.spec),
            "state of the images": fingerprint() if fingerprint is not None else None,
            "choice of --keep-cutouts": self.options.keep_cutouts,
            "source_options": {
                key: masked(value) if isinstance(value, str) else value
                for key, value in sorted(options.items())
                if key not in _TRANSFER
            },
            "software": f"lsbg_classifier {version('lsbg-classifier')}",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }


def journal_of(output: Path) -> Path:
    """Return the folder that unfinished results for an output are kept in."""
    return output.with_name(f"{output.name}.journal")


def prepare(input_path: str | Path, output: str | Path, cutouts: str, options: Options) -> Job:
    """Open and check everything that a job needs, so that it fails early or not at all.

    Raises
    ------
    InputError
        For anything that the user can mend: see `annotate`.
    """
    unfinished = options.resume and (journal_of(Path(output)) / "job.json").exists()
    replace = options.overwrite or unfinished
    check_output(input_path, output, replace)
    check_kept(Path(output), cutouts, keep=options.keep_cutouts, overwrite=replace)
    catalog = open_catalog(
        input_path,
        format=options.format,
        table=options.table,
        ra=options.ra,
        dec=options.dec,
        position_unit=options.position_unit,
    )
    check_name(format_named(catalog.format), input_path, Path(output))
    if options.vo_metadata and catalog.format not in _PARQUET:
        raise InputError(f"{catalog.path}: --vo-metadata is for Parquet, not {catalog.format}")
    selection = None if options.select is None else find_selection(options.select, catalog)
    weights = find_weights(options.weights)
    source = open_source(cutouts, **options.source_options)
    if not options.allow_mismatch:
        check_match(weights.card, source, "--allow-mismatch")
    jobs = None if options.cluster is None else SlurmJobs(options.cluster)
    job = Job(catalog, Path(output), source, weights, options, selection, jobs)
    catalog.check_annotated(job.columns, overwrite_columns=options.overwrite_columns)
    return job
