"""A job: its options, and the checks that let it fail early."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs import (
    AddedColumn,
    Catalog,
    Selection,
    check_output,
    find_selection,
    lsbg_columns,
    open_catalog,
)
from catalogs.beside import check_in_place, chosen_output, default_output
from catalogs.errors import InputError
from catalogs.formats import check_name, format_named
from catalogs.software import software_name
from catalogs.urls import is_url, masked
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.calibration import chosen_prior
from lsbg_classifier.engines.choice import PlannedEngine, plan_engine
from lsbg_classifier.scoring import check_match
from lsbg_classifier.weights.registry import WeightSet, find_weights
from pipeline.chosen_rows import check_only
from pipeline.cut_scale import CutScale, scale_of_cut
from pipeline.cutout_keeper import check_kept
from pipeline.options import Options
from pipeline.provenance import Provenance

if TYPE_CHECKING:
    from pipeline.slurm import SlurmJobs

_PARQUET = ("parquet", "hats")
"""Formats that hold Parquet files."""

_TRANSFER = ("connections", "timeout")
"""Options of sources that do not change what they give."""

IDENTITY_WORDS = {
    "weights_sha256": "sha256 of the weights",
    "images_state": "state of the images",
    "keep_cutouts": "choice of --keep-cutouts",
    "columns": "choice of columns",
    "source_options": "choice of source options",
    "names": "choice of --style",
    "overwrite_columns": "choice of --overwrite-columns",
    "vo_metadata": "choice of --vo-metadata",
}
"""What to call those keys of `Job.identity` that are no words."""


@dataclass(frozen=True)
class Job:
    """A checked job: everything that it needs exists, nothing is written yet.

    Attributes
    ----------
    catalog : Catalog
    output : Path
    source : CutoutSource
    weights : WeightSet
    options : Options
    engine : PlannedEngine
        What runs the network, here and in the workers.
    selection : Selection or None
        None: all rows are selected.
    slurm : SlurmJobs or None
        The jobs of Slurm that are started as workers.
    cut_scale : CutScale or None
        The pixel scale of a published cut.
    """

    catalog: Catalog
    output: Path
    source: CutoutSource
    weights: WeightSet
    options: Options
    engine: PlannedEngine
    selection: Selection | None = None
    slurm: "SlurmJobs | None" = None
    cut_scale: CutScale | None = None

    @property
    def threshold(self) -> float:
        """The probability above which a candidate counts as an LSBG."""
        threshold = self.options.threshold
        return self.weights.card.threshold if threshold is None else threshold

    @property
    def prior(self) -> float:
        """The fraction of LSBGs among the candidates that the probabilities are for."""
        return chosen_prior(self.weights.card, self.options.prior)

    def about_prior(self) -> str:
        """Say what mix of candidates the probabilities are for."""
        own = self.weights.card.prior
        text = f"for candidates of which {self.prior:.3g} are LSBGs"
        return text if self.prior == own else f"{text}, corrected from {own:.3g} of the weights"

    @property
    def columns(self) -> tuple[AddedColumn, ...]:
        """The columns that are added."""
        names, options = self.catalog.column_names, self.options
        return lsbg_columns(names, options.style, keys=options.column_keys)

    @property
    def journal_folder(self) -> Path:
        """The folder of unfinished results: beside the output."""
        return journal_of(self.output)

    def assumptions(self) -> list[str]:
        """Return what is supposed of images and cut, a line each, such as a zero point."""
        assumptions = getattr(self.source, "assumptions", None)
        of_images = [] if assumptions is None else [masked(line) for line in assumptions()]
        return of_images + ([] if self.cut_scale is None else [self.cut_scale.describe()])

    def provenance(self, date: str) -> Provenance:
        """Return what the output says of its new columns.

        Parameters
        ----------
        date : str
            Day on which the job was first started.
        """
        return Provenance(
            weights=self.weights.card.name,
            weights_sha256=self.weights.card.sha256,
            source=masked(self.source.spec),
            software=software_name(),
            engine=self.engine.software,
            date=date,
            threshold=f"{self.threshold:g}",
            prior=f"{self.prior:g}",
            select=None if self.selection is None else self.selection.text,
            mismatch="; ".join(self.weights.card.imaging.differences(self.source.imaging)) or None,
        )

    def identity(self, input_fingerprint: str | None = None) -> dict[str, object]:
        """Return everything that decides the result, as JSON values, and today's date.

        Parameters
        ----------
        input_fingerprint : str, optional
            That of the catalog, where it is known; by default it is computed.
        """
        position, options = self.catalog.position_columns, self.options
        fingerprint = getattr(self.source, "fingerprint", None)
        return {
            "input": input_fingerprint or self.catalog.fingerprint(),
            "table": options.table,
            "position": [position.ra, position.dec, position.unit],
            "select": None if self.selection is None else self.selection.text,
            "weights": self.weights.card.name,
            "weights_sha256": self.weights.card.sha256,
            "prior": self.prior,
            "source": masked(self.source.spec),
            "images_state": fingerprint() if fingerprint is not None else None,
            "keep_cutouts": options.keep_cutouts,
            "columns": list(options.column_keys),
            "engine": self.engine.software,
            "source_options": {
                key: masked(value) if isinstance(value, str) else value
                for key, value in sorted(options.of_source.items())
                if key not in _TRANSFER
            },
            "software": software_name(),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }

    def identity_of_writing(self) -> dict[str, object]:
        """Return what decides how files are written while others are scored, as JSON values."""
        options = self.options
        return {
            "threshold": self.threshold,
            "names": [column.name for column in self.columns],
            "overwrite_columns": options.overwrite_columns,
            "vo_metadata": options.vo_metadata,
        }


def journal_of(output: Path) -> Path:
    """Return the folder of unfinished results for an output."""
    return output.with_name(f"{output.name}.journal")


def output_for(input_path: str | Path, output: str | Path | None, options: Options) -> Path:
    """Return where a job writes: the output, the input itself, or a name beside the input.

    Parameters
    ----------
    input_path : path or URL
    output : path or None
    options : Options

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If an output is named for a job in place, or the input cannot be replaced.
    """
    if output is not None and is_url(output):
        check_output(input_path, output, overwrite=False)
    if not options.in_place:
        return default_output(input_path) if output is None else Path(output)
    if output is not None:
        raise InputError(f"{output}: --in-place replaces the input; leave the output out")
    return check_in_place(input_path)


def prepare(input_path: str | Path, output: str | Path | None, options: Options) -> Job:
    """Open and check everything that a job needs, so that it fails early or not at all.

    Parameters
    ----------
    input_path : path or URL
    output : path or None
        None: see `output_for`.
    options : Options

    Returns
    -------
    Job

    Raises
    ------
    InputError
        For anything that the user can fix: see `pipeline.annotate`.
    """
    output = output_for(input_path, output, options)
    _check_outputs(input_path, output, options)
    catalog = opened_catalog(input_path, options)
    check_name(format_named(catalog.format), input_path, output)
    if options.vo_metadata and catalog.format not in _PARQUET:
        raise InputError(f"{catalog.path}: --vo-metadata is for Parquet, not {catalog.format}")
    job = job_on(catalog, output, options)
    catalog.check_annotated(job.columns, overwrite_columns=options.overwrite_columns)
    if options.only is not None:
        check_only(options.only, catalog, job.columns)
    return job


def opened_catalog(path: str | Path, options: Options) -> Catalog:
    """Open a catalog with the options that say how it is read.

    Parameters
    ----------
    path : path or URL
    options : Options

    Returns
    -------
    Catalog

    Raises
    ------
    InputError
        As of `catalogs.open_catalog`.
    """
    return open_catalog(
        path,
        format=options.format,
        table=options.table,
        ra=options.ra,
        dec=options.dec,
        position_unit=options.position_unit,
    )


def job_on(catalog: Catalog, output: Path, options: Options) -> Job:
    """Find all else that a job on a catalog needs, and check that it fits together.

    Parameters
    ----------
    catalog : Catalog
    output : Path
    options : Options

    Returns
    -------
    Job

    Raises
    ------
    InputError
        For weights, images or selections that do not exist, or do not fit.
    """
    weights = find_weights(options.weights)
    source = open_source(options.cutouts, **options.of_source)
    scale = scale_of_cut(options, catalog, source)
    select = options.select if scale is None else scale.conditions
    selection = None if select is None else find_selection(select, catalog)
    if not options.allow_mismatch:
        check_match(weights.card, source, "--allow-mismatch")
    slurm = None if options.cluster is None else _slurm(options.cluster, options.adapt)
    engine = plan_engine(weights, options.engine)
    return Job(catalog, output, source, weights, options, engine, selection, slurm, scale)


def _slurm(description: str | Path, adapt: tuple[int, int] | None) -> "SlurmJobs":
    from pipeline.slurm import SlurmJobs

    return SlurmJobs(description, adapt)


def _check_outputs(input_path: str | Path, output: str | Path, options: Options):
    """Refuse an output, or a folder of kept cutouts, that must not be replaced."""
    unfinished = options.resume and (journal_of(Path(output)) / "job.json").exists()
    replace = options.overwrite or unfinished
    if not options.in_place:
        check_output(input_path, output, replace)
    if options.only is not None:
        check_output(input_path, chosen_output(Path(output)), replace)
    check_kept(Path(output), options.cutouts, keep=options.keep_cutouts, overwrite=replace)
