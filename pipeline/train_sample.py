"""What the training commands train on: which labelled positions or cutouts, and their dataset."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import typer

from catalogs.errors import InputError
from lsbg_classifier.surveys import Imaging
from lsbg_classifier.training.samples import FRACTIONS, SPLITS
from pipeline.train_injected import InjectedOptions, describe_plan, make_injected

_PUBLISHED = {"des": ("baseline", "random"), "hsc": ("published",)}
"""Names of each survey's published samples."""

_TRIED, _TRIED_OF_SERVER = 256, 16
"""Positions that a dry run asks a source for: of files here, and of a server."""

_SERVERS = ("legacysurvey:", "hips:")
"""Starts of the names of sources whose images come over the network."""


@dataclass(frozen=True)
class WantedSample:
    """The options of a sample.

    Attributes
    ----------
    survey : str
        Whose command it is: ``des`` or ``hsc``.
    kinds : str
        What `sample` may be, for people.
    sample : str
        A published sample, ``simulated``, ``injected``, or the path of a catalog or a ``.npy``
        file.
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
    labels : tuple of Path
        CSV files of labels given by eye, instead of a sample.
    injection : InjectedOptions
        Of ``injected``.
    usual_cutouts : str
        The source of cutouts that the command takes by default.
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
    labels: tuple[Path, ...] = ()
    injection: InjectedOptions = field(default_factory=InjectedOptions)
    usual_cutouts: str = ""

    def __post_init__(self):
        """Refuse options of another sample."""
        if not self.injected:
            self.injection.check_unused()

    @property
    def injected(self) -> bool:
        """Whether it is mocks in one's own tiles."""
        return not self.labels and self.sample == "injected"

    @property
    def simulated(self) -> bool:
        """Whether it is simulated sky."""
        return not self.labels and self.sample == "simulated"

    @property
    def published(self) -> bool:
        """Whether it is one of the published samples."""
        return not self.labels and self.sample in _PUBLISHED[self.survey]

    @property
    def name(self) -> str:
        """What the weights see, for their card: files without their folders."""
        if self.labels:
            return f"the labels {', '.join(path.name for path in self.labels)}"
        if self.injected:
            return "mock LSBGs and real candidates in real sky"
        return f"the {self.sample} sample" if self.published else Path(self.sample).name

    @property
    def fractions(self) -> tuple[float, ...]:
        """Parts of a sample of one's own to train on, validate by and test by."""
        return (1.0, 0.0, 0.0) if self.whole else FRACTIONS


@dataclass(frozen=True)
class PlannedSample:
    """What a dry run learns of a sample.

    Attributes
    ----------
    count : int
        Cutouts to train on; 0 where only the training itself can tell.
    imaging : Imaging or None
        What they show, where it is known.
    """

    count: int
    imaging: Imaging | None = None


def plan_sample(wanted: WantedSample) -> PlannedSample:
    """Say what would be trained on, and whether its cutouts are there; write nothing.

    Raises
    ------
    InputError
        For everything that would stop the training because of its sample.
    """
    if wanted.injected:
        return PlannedSample(0, describe_plan(wanted).imaging())
    if wanted.simulated:
        typer.echo(f"{wanted.surveys} simulated surveys of {wanted.survey}")
        return PlannedSample(0)
    if not wanted.labels and wanted.sample.endswith(".npy"):
        _, splits, imaging = _stored_cutouts(wanted)
        return PlannedSample(int(np.count_nonzero(splits == "train")), imaging)
    source, sample = _open(wanted)
    _say_sample(sample)
    _try_source(wanted, source, sample)
    return PlannedSample(sum(sample.count("train")), source.imaging)


def make_dataset(wanted: WantedSample, folder: Path, *, quiet: bool):
    """Make or continue the dataset in a folder.

    Parameters
    ----------
    wanted : WantedSample
    folder : Path
    quiet : bool
        Show no progress.

    Returns
    -------
    CutoutDataset

    Raises
    ------
    InputError
        If the sample cannot be used; a folder that was not there before is not left behind then.
    """
    if wanted.injected:
        return make_injected(wanted, folder, quiet=quiet)
    if wanted.simulated:
        return _simulated(wanted, folder, quiet)
    if not wanted.labels and wanted.sample.endswith(".npy"):
        return _stored(wanted, folder)
    return _fetched(wanted, folder, quiet)


def _simulated(wanted, folder, quiet):
    from lsbg_classifier.training.simulated import SamplePlan, simulated_dataset
    from pipeline.progress import show_progress

    with show_progress("surveys", quiet=quiet) as progress:
        plan = SamplePlan(wanted.survey, wanted.surveys)
        return simulated_dataset(folder, plan, processes=os.cpu_count() or 1, progress=progress)


def _stored_cutouts(wanted):
    """Read a file of cutouts and its labels; also returns their splits, and what they show."""
    from lsbg_classifier.surveys import survey_named
    from lsbg_classifier.training.assessment import LabelledCutouts
    from lsbg_classifier.training.samples import random_splits

    cutouts = LabelledCutouts.read(Path(wanted.sample), Path(wanted.label))
    splits = random_splits(cutouts.labels, seed=wanted.seed, fractions=wanted.fractions)
    lsbgs = int(cutouts.labels.sum())
    typer.echo(f"{lsbgs} LSBGs, {len(cutouts.labels) - lsbgs} others")
    options = wanted.source_options
    survey = survey_named(options.get("survey", wanted.survey))
    return cutouts, splits, survey.imaging(tuple(options.get("bands", "grz")))


def _stored(wanted, folder):
    """Make the dataset of a file of cutouts and its labels."""
    from lsbg_classifier.training.dataset import store_cutouts

    cutouts, splits, imaging = _stored_cutouts(wanted)
    return store_cutouts(folder, cutouts.name, cutouts.images, cutouts.labels, splits, imaging)


def _open(wanted):
    """Open the source, and find the labelled positions."""
    from lsbg_classifier import open_source

    source = open_source(wanted.cutouts, **wanted.source_options)
    return source, _positions(wanted, source)


def _say_sample(sample):
    for split in SPLITS:
        typer.echo("{}: {} LSBGs, {} others".format(split, *sample.count(split)))
    for note in sample.notes:
        typer.echo(f"note: {note}")


def _try_source(wanted, source, sample):
    """Ask the source for some of the sample, and say how many have a cutout."""
    from catalogs.flags import NOT_SCORED
    from lsbg_classifier.cutouts.source import fetch_usable
    from lsbg_classifier.training.teaching import reasons_text

    most = _TRIED_OF_SERVER if wanted.cutouts.startswith(_SERVERS) else _TRIED
    rows = np.unique(np.linspace(0, len(sample.labels) - 1, most).astype(int))
    _, flags = fetch_usable(source.fetch, sample.positions[rows])
    missing = (flags & NOT_SCORED) != 0
    total = len(sample.labels)
    number = f"all {total}" if len(rows) == total else f"{len(rows)} of {total}"
    reasons = _counted(flags[missing])
    why = f" ({reasons_text(reasons)})" if reasons else ""
    typer.echo(
        f"{source.spec}: asked for {number} positions, {int((~missing).sum())} have a cutout{why}"
    )
    if wanted.labels and len(rows) == total:
        _check_labels(wanted, sample.labels[(sample.splits == "train") & ~missing], reasons)
    elif missing.all():
        raise InputError(f"{source.spec}: has no cutout of any position that was asked for")


def _fetched(wanted, folder, quiet):
    from lsbg_classifier.training.dataset import build_dataset
    from lsbg_classifier.training.teaching import how_sharp, reasons_text
    from pipeline.progress import show_progress

    source, sample = _open(wanted)
    _say_sample(sample)
    fresh = next((path for path in (folder.parent, folder) if not path.exists()), None)
    with show_progress("cutouts", quiet=quiet) as progress:
        dataset = build_dataset(folder, sample, source, progress=progress)
    failed = dataset.failed()
    reasons = Counter(flag or "no flag" for *_, flag in failed)
    if wanted.labels:
        try:
            _check_labels(wanted, dataset.table("train", ["label"])["label"].to_numpy(), reasons)
        except InputError:
            if fresh is not None:  # cutouts that no training can use
                shutil.rmtree(fresh, ignore_errors=True)
            raise
    if failed:
        typer.echo(
            f"note: {len(failed)} without a cutout are left out: {reasons_text(reasons)}; see "
            f"{folder / 'failed.csv'}"
        )
    if wanted.labels and failed:
        for note in how_sharp(dataset.table("test", ["label"])["label"].to_numpy()):
            typer.echo(f"note: with a cutout: {note}")
    return dataset


def _counted(flags) -> Counter:
    """Count how many have each combination of flags, by its name."""
    from catalogs.flags import Flag

    return Counter(Flag(int(value)).name or "no flag" for value in flags)


def _check_labels(wanted, labels, reasons):
    from lsbg_classifier.training.teaching import check_enough

    check_enough(", ".join(map(str, wanted.labels)), labels, reasons)


def _positions(wanted, source):
    """Return the labelled positions."""
    from lsbg_classifier.training.samples import sample_of_catalog

    if wanted.labels:
        return _labelled_by_eye(wanted, source)
    if wanted.positives not in ("published", "vizier"):
        raise InputError(f"--positives is published or vizier, not {wanted.positives}")
    if wanted.published:
        return _published_positions(wanted)
    if not Path(wanted.sample).exists():
        raise InputError(f"{wanted.sample}: no such sample or file; choose {wanted.kinds}")
    return sample_of_catalog(
        Path(wanted.sample), wanted.label, seed=wanted.seed, fractions=wanted.fractions
    )


def _labelled_by_eye(wanted, source):
    from lsbg_classifier.training.prior import prior_notes
    from lsbg_classifier.training.teaching import judgements_at, sample_of_labels

    draw = {"seed": wanted.seed, "whole": wanted.whole}
    sample_of_labels(wanted.labels, **draw)  # reports damaged files and too few labels first
    judgements, notes = judgements_at(wanted.labels, source)
    sample = sample_of_labels(judgements, **draw, left_out=notes)
    prior = prior_notes(judgements.consensus())
    return replace(sample, notes=(*notes, *sample.notes, *prior))


def prior_of_labels(wanted: WantedSample, dataset):
    """Estimate which part of the candidates are LSBGs from the labels drawn at random.

    Parameters
    ----------
    wanted : WantedSample
    dataset : CutoutDataset
        Made of it: labels without a cutout do not count.

    Returns
    -------
    EstimatedPrior or None
        None where no labels were given by eye, or too few at random.
    """
    from lsbg_classifier.training.judgements import read_judgements
    from lsbg_classifier.training.label_matching import match_judgements
    from lsbg_classifier.training.prior import estimate_prior

    if not wanted.labels:
        return None
    table = dataset.table(None, ["ra", "dec"])
    positions = np.stack([table["ra"].to_numpy(), table["dec"].to_numpy()], axis=1)
    matched = match_judgements(read_judgements(*wanted.labels), positions, str(dataset.folder))
    consensus = matched.judgements.consensus()
    return estimate_prior(consensus.labels[consensus.random])


def _published_positions(wanted):
    from lsbg_classifier.training.published import ListStore, des_sample, hsc_sample
    from lsbg_classifier.training.vizier import vizier_lsbgs

    store = ListStore(wanted.lists)
    galaxies = vizier_lsbgs(wanted.survey) if wanted.positives == "vizier" else None
    common = {"seed": wanted.seed, "positives": galaxies}
    if wanted.survey == "des":
        return des_sample(store, split=wanted.sample, type_1=wanted.type_1, **common)
    return hsc_sample(store, **common)
