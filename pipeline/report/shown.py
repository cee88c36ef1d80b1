"""What a report shows of each candidate beside its values: cutouts, heat maps, what is alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalogs import InputError
from pipeline.report.candidates import Candidates
from pipeline.report.choice import Choice
from pipeline.report.comparison import Comparison
from pipeline.report.data import packed
from pipeline.report.heat import find_used_weights, write_heat_maps
from pipeline.report.likeness import write_likeness
from pipeline.report.options import ReportOptions
from pipeline.report.other_weights import OtherWeights
from pipeline.report.pictures import Pictures, Progress, write_sheets
from pipeline.report.wide import write_wide

_NO_PICTURES = (
    "The gallery has no pictures: annotate with lsbg classify --keep-cutouts, or add --cutouts "
    "SOURCE to lsbg report."
)

_FIRST = 1000
"""Candidates that get a heat map unless another number is asked for, and a wider field."""


@dataclass(frozen=True)
class Run:
    """What a report is made of.

    Attributes
    ----------
    candidates : Candidates
    pictures : Pictures
    provenance : mapping of str to str
        See `catalogs.Catalog.provenance`.
    options : ReportOptions
    threshold : float
        Called an LSBG above this.
    comparison : Comparison or None
        Of old and new weights on labels.
    other : OtherWeights or None
        Those that ``--against`` names.
    """

    candidates: Candidates
    pictures: Pictures
    provenance: Mapping[str, str]
    options: ReportOptions
    threshold: float
    comparison: Comparison | None
    other: OtherWeights | None


@dataclass
class Shown:
    """What was written.

    Attributes
    ----------
    have : array of bool, shape (gallery,)
        Which candidates have a cutout.
    heat_maps : int
        The first so many have a heat map.
    notes : list of str
        What the reader must know, in sentences.
    more : dict
        For the page's data; see `html_page.Content`.
    """

    have: np.ndarray
    heat_maps: int = 0
    notes: list[str] = field(default_factory=list)
    more: dict = field(default_factory=dict)


def write_shown(folder: Path, run: Run, choice: Choice, progress: Progress | None) -> Shown:
    """Write thumbnails, heat maps, features, other probabilities and wider fields.

    Parameters
    ----------
    folder : Path
        The report's, with ``data`` in it.
    run : Run
    choice : Choice
    progress : callable, optional
        Called with (pictures done, pictures in all).

    Returns
    -------
    Shown
    """
    if run.pictures.imaging is None:
        return Shown(np.zeros(len(choice.rows), bool), notes=[_NO_PICTURES])
    path = folder / "cutouts"
    cutouts, have = run.pictures.collect(choice.rows, path, progress)
    write_sheets(cutouts, folder / "thumbnails")
    shown = Shown(have)
    _write_seen(folder, run, choice.rows, cutouts, shown)
    if run.other is not None:
        run.other.score(cutouts, have)
        shown.more |= run.other.write(folder / "data")
        if mismatch := run.other.mismatch(run.pictures.imaging):
            shown.notes.append(mismatch)
    arcsec, source = run.options.context, run.pictures.source
    if arcsec is not None and source is not None:
        places = np.union1d(np.arange(min(_FIRST, len(choice.rows))), choice.to_label)
        positions = run.candidates.positions[choice.rows]
        wide = write_wide(source, positions, places, arcsec, folder / "wide")
        shown.more |= {"wide": packed(wide.astype(np.uint8)), "wideArcsec": round(arcsec, 2)}
    path.unlink()
    return shown


def _write_seen(folder: Path, run: Run, rows: np.ndarray, cutouts: np.ndarray, shown: Shown):
    """Write what the network sees: heat maps, and what is alike; or note why not."""
    if not shown.have.any():
        return
    limit = run.options.heat_maps
    count = min(_FIRST if limit is None else limit, len(run.candidates.scored), len(cutouts))
    try:
        weights = find_used_weights(run.provenance)
    except InputError as error:
        if limit:
            raise
        shown.notes.append(f"There are no heat maps, and no order by likeness: {error}.")
        return
    if count:
        write_heat_maps(weights, cutouts[:count], shown.have[:count], folder / "heat")
        shown.heat_maps = count
    shown.more |= write_likeness(
        weights, run.candidates, rows, cutouts, shown.have, folder / "data"
    )
