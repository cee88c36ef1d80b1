"""What commands say about jobs, weights and flags, as lines of text."""

from collections.abc import Mapping

import numpy as np

from catalogs.beside import chosen_output
from catalogs.flags import Flag
from catalogs.selection import count_removed
from catalogs.sky_extent import describe_extent
from catalogs.urls import masked
from lsbg_classifier.cutouts.kept_files import kept_folder
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import (
    DEFAULT_WEIGHTS,
    broken_weights,
    find_weights,
    known_weights,
)
from lsbg_classifier.weights.thresholds import describe_table
from pipeline.job import Job
from pipeline.plan import make_plan
from pipeline.remarks import extent_of, remarks_on


def describe_job(job: Job) -> list[str]:
    """Say what a job would do, after reading the positions; nothing is written."""
    chunk_size, selection = job.options.chunk_size, job.selection
    plan = make_plan(job.catalog, job.source, chunk_size, selection=selection)
    unit_count = sum(1 for _ in plan.units())
    columns = job.catalog.position_columns
    positions = np.asarray(plan.positions)
    extent = extent_of(positions)
    return [
        f"input: {job.catalog.path}, {job.catalog.row_count} rows, "
        f"position in {columns.ra} and {columns.dec} ({columns.unit})",
        *([] if selection is None else [f"selected: {len(positions)} rows, by {selection.text}"]),
        *_removed(job),
        f"without a usable position: {int(np.isnan(positions[:, 0]).sum())} rows",
        *describe_extent(extent),
        *remarks_on(job, extent),
        f"cutouts: {masked(job.source.spec)}, units of work: {unit_count}",
        *_outside(job, positions),
        f"weights: {job.weights.card.name} ({job.weights.card.description})",
        f"probabilities: {job.about_prior()}",
        f"engine: {job.engine.software} ({job.engine.reason})",
        f"output: {job.output}, with {_listed([column.name for column in job.columns])}",
        *_only(job),
        *_kept(job, len(positions)),
        *([] if job.slurm is None else job.slurm.describe()),
        "no output was written",
    ]


def _removed(job: Job) -> list[str]:
    """Say how many rows each condition of the selection removes."""
    if job.selection is None or len(job.selection.clauses) < 2:
        return []
    return [
        f"  {text}: removes {removed} rows, {alone} of them alone"
        for text, removed, alone in count_removed(job.selection, job.catalog)
    ]


def _listed(names: list[str]) -> str:
    """Return names as an enumeration: ``a, b and c``."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _only(job: Job) -> list[str]:
    """Say where the rows that are chosen would be written."""
    if job.options.only is None:
        return []
    return [f"rows with {job.options.only} also in {chosen_output(job.output)}"]


def _kept(job: Job, rows: int) -> list[str]:
    """Say where cutouts would be kept, and how much room they take at most."""
    if not job.options.keep_cutouts:
        return []
    size = rows * 9e3 / 1e6
    return [f"cutouts are kept in {kept_folder(job.output)}, about {size:,.0f} MB at most"]


def _outside(job: Job, positions: np.ndarray) -> list[str]:
    """Say how many positions no image covers, where the source knows without fetching."""
    groups = job.source.group(positions[np.isfinite(positions[:, 0])])
    return [] if groups is None else [f"outside all images: {int((groups < 0).sum())} rows"]


def describe_weights() -> list[str]:
    """List the registered weight sets, and say which of them cannot be used."""
    descriptions = {
        name: weight_set.card.description for name, weight_set in known_weights().items()
    }
    descriptions |= {name: f"cannot be used; {error}" for name, error in broken_weights().items()}
    return [
        f"{name}{' (default)' if name == DEFAULT_WEIGHTS else ''}: {line}"
        for name, line in sorted(descriptions.items())
    ]


def describe_card(name: str) -> list[str]:
    """Say everything that the card of a weight set says."""
    weight_set = find_weights(name)
    card: Card = weight_set.card
    imaging = f'{card.survey}, bands {"".join(card.bands)}, {card.pixel_scale:.3f}"/pixel'
    scores = [f"  {sample}: {_scores_of(values)}" for sample, values in card.scores.items()]
    return [
        f"{card.name}: {card.description}",
        f"images: {imaging}, {card.stretch} colours; threshold {card.threshold:g}",
        f"sample: {card.sample}",
        f"made for candidates of which {card.prior:.0%} are LSBGs",
        f"recipe: {card.recipe} (seed {card.seed})",
        *(["scores (in brackets: 95% intervals):", *scores] if scores else []),
        *_describe_thresholds(card),
        f"limitations: {card.limitations}",
        f"licence: {card.licence}; sha256 {card.sha256}",
        f"file: {weight_set.path}",
    ]


def _scores_of(values: Mapping[str, float]) -> str:
    """Say the scores of one sample in one line, each with its interval where there is one."""
    told = []
    for metric, value in values.items():
        if f"{metric}_low" in values and f"{metric}_high" in values:
            low, high = values[f"{metric}_low"], values[f"{metric}_high"]
            told.append(f"{metric} {value:.3f} ({low:.3f} to {high:.3f})")
        elif not metric.endswith(("_low", "_high")):
            told.append(f"{metric} {value:.4g}")
    return ", ".join(told)


def _describe_thresholds(card: Card) -> list[str]:
    """Say what each threshold keeps, takes, and is worth for candidates of several mixes."""
    lines = [f"thresholds, for probabilities without --prior (with {card.prior:.0%} LSBGs):"]
    for sample, table in card.thresholds.items():
        lines += [f"  {sample}:", *(f"    {line}" for line in describe_table(table))]
    return lines if card.thresholds else []


def describe_flags(value: int | None = None) -> list[str]:
    """Explain all flags, or those that a value of the column is made of."""
    if value == 0:
        return ["0: scored, nothing to say"]
    return [
        f"{int(flag):4d}  {flag.name:<17} {'scored    ' if flag.scored else 'not scored'}  "
        f"{flag.description}"
        for flag in Flag
        if value is None or value & flag
    ]
