"""What the training commands train on: which labelled positions or cutouts, and their dataset."""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from catalogs.errors import InputError
from lsbg_classifier.training.samples import FRACTIONS, SPLITS

_PUBLISHED = {"des": ("baseline", "random"), "hsc": ("published",)}
"""Names of each survey's published samples."""


@dataclass(frozen=True)
class WantedSample:
    """A sample as it was asked for.

    Attributes
    ----------
    survey : str
        Whose command it is: ``des`` or ``hsc``.
    kinds : str
        What `sample` may be, for people.
    sample : str
        A published sample, ``simulated``, or the path of a catalog or a ``.npy`` file.
    label : str
        Column of the catalog, or CSV beside the ``.npy`` file.
    whole : bool
        Train on all of one's own sample.
    lists : Path, optional
        Folder with the published lists.
    positives : str
        Where published LSBGs come from: ``published`` or ``vizier``.
    type_1 : bool
        Also fetch the artifacts of type 1 of DES.
    cutouts : str
    source_options : dict
        The source of cutouts and its options.
    surveys : int
        How many to simulate.
    seed : int
    labels : Path, optional
        CSV file of labels given by eye, instead of a sample.
    """

    survey: str
    kinds: str
    sample: str
    label: str
    whole: bool
    lists: Path | None
    positives: str
    type_1: bool
    cutouts: str
    source_options: dict
    surveys: int
    seed: int
    labels: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether it is simulated sky."""
        return self.labels is None and self.sample == "simulated"

    @property
    def published(self) -> bool:
        """Whether it is one of the published samples."""
        return self.labels is None and self.sample in _PUBLISHED[self.survey]

    @property
    def name(self) -> str:
        """What the weights see, for their card: files without their folders."""
        if self.labels is not None:
            return f"the labels {self.labels.name}"
        return f"the {self.sample} sample" if self.published else Path(self.sample).name

    @property
    def fractions(self) -> tuple[float, ...]:
        """Parts of a sample of one's own to train on, validate by and test by."""
        return (1.0, 0.0, 0.0) if self.whole else FRACTIONS


def make_dataset(wanted: WantedSample, folder: Path, *, dry_run: bool, quiet: bool):
    """Make or continue the dataset in a folder; None after a dry run."""
    if wanted.simulated:
        return _simulated(wanted, folder, dry_run, quiet)
    if wanted.labels is None and wanted.sample.endswith(".npy"):
        return _stored(wanted, folder, dry_run)
    return _fetched(wanted, folder, dry_run, quiet)


def _simulated(wanted, folder, dry_run, quiet):
    from lsbg_classifier.training.simulated import simulated_dataset
    from pipeline.progress import show_progress

    if dry_run:
        typer.echo(f"{wanted.surveys} simulated surveys of {wanted.survey}")
        return None
    with show_progress("surveys", quiet=quiet) as progress:
        return simulated_dataset(
            folder,
            survey=wanted.survey,
            surveys=wanted.surveys,
            processes=os.cpu_count() or 1,
            progress=progress,
        )


def _stored(wanted, folder, dry_run):
    """Make the dataset of a file of cutouts and its labels."""
    from lsbg_classifier.surveys import survey_named
    from lsbg_classifier.training.assessment import LabelledCutouts
    from lsbg_classifier.training.dataset import store_cutouts
    from lsbg_classifier.training.samples import random_splits

    found = LabelledCutouts.read(Path(wanted.sample), Path(wanted.label))
    splits = random_splits(found.labels, seed=wanted.seed, fractions=wanted.fractions)
    lsbgs = int(found.labels.sum())
    typer.echo(f"{lsbgs} LSBGs, {len(found.labels) - lsbgs} others")
    if dry_run:
        return None
    options = wanted.source_options
    survey = survey_named(options.get("survey", wanted.survey))
    imaging = survey.imaging(tuple(options.get("bands", "grz")))
    return store_cutouts(folder, found.name, found.images, found.labels, splits, imaging)


def _fetched(wanted, folder, dry_run, quiet):
    from lsbg_classifier import open_source
    from lsbg_classifier.training.dataset import build_dataset
    from pipeline.progress import show_progress

    sample = _positions(wanted)
    for split in SPLITS:
        typer.echo("{}: {} LSBGs, {} others".format(split, *sample.count(split)))
    for note in sample.notes:
        typer.echo(f"note: {note}")
    if dry_run:
        return None
    source = open_source(wanted.cutouts, **wanted.source_options)
    with show_progress("cutouts", quiet=quiet) as progress:
        dataset = build_dataset(folder, sample, source, progress=progress)
    if failed := len(dataset.failed()):
        typer.echo(f"note: {failed} without a cutout are left out, see {folder / 'failed.csv'}")
    return dataset


def _positions(wanted):
    """Return the labelled positions."""
    from lsbg_classifier.training.published import ListStore, des_sample, hsc_sample
    from lsbg_classifier.training.samples import sample_of_catalog
    from lsbg_classifier.training.teaching import sample_of_labels
    from lsbg_classifier.training.vizier import vizier_lsbgs

    if wanted.labels is not None:
        return sample_of_labels(wanted.labels, seed=wanted.seed, whole=wanted.whole)
    if wanted.positives not in ("published", "vizier"):
        raise InputError(f"--positives is published or vizier, not {wanted.positives}")
    if wanted.published:
        store = ListStore(wanted.lists)
        galaxies = vizier_lsbgs(wanted.survey) if wanted.positives == "vizier" else None
        common = {"seed": wanted.seed, "positives": galaxies}
        if wanted.survey == "des":
            return des_sample(store, split=wanted.sample, type_1=wanted.type_1, **common)
        return hsc_sample(store, **common)
    if not Path(wanted.sample).exists():
        raise InputError(f"{wanted.sample}: no such sample; choose {wanted.kinds}")
    return sample_of_catalog(
        Path(wanted.sample), wanted.label, seed=wanted.seed, fractions=wanted.fractions
    )
