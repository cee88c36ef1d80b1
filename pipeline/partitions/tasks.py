"""What is done with one file of a catalog: by a worker, or by the command itself."""

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import find_selection
from catalogs.blocks import BLOCK_ROWS
from catalogs.errors import InputError
from catalogs.output import naming
from catalogs.partitions import Annotation, Partition
from catalogs.sky_extent import SkyExtent
from pipeline.partitions.records import PartRecord
from pipeline.plan import SelectedRows, read_selected
from pipeline.results import RowValues
from pipeline.summary import Summary
from pipeline.worker import WorkerSettings, opened_source


@dataclass(frozen=True)
class Question:
    """What is asked of each file.

    Attributes
    ----------
    select : str or None
        Which rows are selected; see `catalogs.find_selection`. None: all.
    lengths : bool
        Whether the longest texts are measured.
    """

    select: str | None
    lengths: bool


@dataclass(frozen=True)
class PartFacts:
    """What a file holds.

    Attributes
    ----------
    number : int
        Of the file, from 0.
    digest : str
        Its sha256.
    selected, unplaced : int
        Rows that are selected, and those of them without a usable position.
    extent : SkyExtent
        Of the selected rows.
    lengths : dict of str to int
        The longest text of each column, where it is asked for.
    rows : SelectedRows or None
        Where they are asked for.
    """

    number: int
    digest: str
    selected: int
    unplaced: int
    extent: SkyExtent
    lengths: dict[str, int]
    rows: SelectedRows | None


def examine(
    number: int,
    partition: Partition,
    question: Question,
    settings: WorkerSettings,
    with_rows: bool,
) -> PartFacts:
    """Hash a file and find its selected rows.

    Parameters
    ----------
    number : int
    partition : Partition
    question : Question
    settings : WorkerSettings
        Of the source of cutouts.
    with_rows : bool
        Whether the rows are returned too.

    Returns
    -------
    PartFacts
    """
    _, rows = read_rows(number, partition, question, settings)
    extent = SkyExtent()
    extent.add(rows.positions)
    return PartFacts(
        number=number,
        digest=partition.fingerprint(),
        selected=len(rows.positions),
        unplaced=int(np.isnan(rows.positions[:, 0]).sum()),
        extent=extent,
        lengths=partition.text_lengths() if question.lengths else {},
        rows=rows if with_rows else None,
    )


def read_rows(
    number: int, partition: Partition, question: Question, settings: WorkerSettings
) -> tuple[int, SelectedRows]:
    """Find the selected rows of a file.

    Parameters
    ----------
    number, partition, question, settings
        As for `examine`.

    Returns
    -------
    number : int
    rows : SelectedRows
        Numbered from the first row of the file.
    """
    catalog, source = partition.opened(), opened_source(settings)
    select = question.select
    selection = None if select is None else find_selection(select, catalog)
    blocks = [
        read_selected(catalog, source, selection, start)
        for start in range(0, partition.rows, BLOCK_ROWS)
    ]
    return number, joined_rows(blocks)


def joined_rows(blocks: list[SelectedRows]) -> SelectedRows:
    """Join the selected rows of successive blocks; rows and groups are None if one has none."""
    rows = [block.rows for block in blocks if block.rows is not None]
    groups = [block.groups for block in blocks if block.groups is not None]
    empty = np.empty(0, np.int64)
    return SelectedRows(
        np.concatenate([empty, *rows]) if len(rows) == len(blocks) else None,
        np.concatenate([np.empty((0, 2)), *(block.positions for block in blocks)]),
        np.concatenate([empty.astype(np.int32), *groups]) if len(groups) == len(blocks) else None,
    )


@dataclass(frozen=True)
class Writing:
    """How files are written.

    Attributes
    ----------
    folder : Path
        The hidden output; it exists.
    drafts : Path
        Folder for files that are not whole yet, on the same file system.
    annotation : Annotation
    threshold : float
        Above which a candidate is counted.
    """

    folder: Path
    drafts: Path
    annotation: Annotation
    threshold: float


def write(number: int, partition: Partition, writing: Writing, values: RowValues) -> PartRecord:
    """Write one file into the hidden output; it is there whole or not at all.

    Parameters
    ----------
    number : int
    partition : Partition
    writing : Writing
    values : RowValues
        Of its rows.

    Returns
    -------
    PartRecord

    Raises
    ------
    InputError
        If this worker does not see the hidden output.
    """
    if not writing.folder.is_dir():
        raise InputError(
            f"{writing.folder}: does not exist on this worker; give all workers the folder of the "
            "output under the same path, and go on with --resume"
        )
    partition.opened()
    target = writing.folder / partition.place
    draft = writing.drafts / uuid.uuid4().hex / target.name
    with naming(target):
        try:
            draft.parent.mkdir(parents=True)
            partition.write_annotated(draft, values.read, writing.annotation)
            _force_to_disk(draft)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft, target)
        finally:
            shutil.rmtree(draft.parent, ignore_errors=True)
    return _record(number, target.stat().st_size, values, writing.threshold)


def _force_to_disk(path: Path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _record(number: int, size: int, values: RowValues, threshold: float) -> PartRecord:
    """Count what was written."""
    summary = Summary(threshold)
    for start in range(0, values.count, BLOCK_ROWS):
        block = values.by_key(start, min(start + BLOCK_ROWS, values.count))
        summary.count(block["probability"], block["flags"])
    return PartRecord.of(number, size, summary, values.values["flags"])


def sees(path: Path, size: int | None) -> bool:
    """Tell whether a file of this size, or a folder, is at a path on this machine.

    Parameters
    ----------
    path : Path
    size : int or None
        Bytes; None: a folder.

    Returns
    -------
    bool
    """
    if size is None:
        return path.is_dir()
    return path.is_file() and path.stat().st_size == size
