"""The end of a run in place that was killed when it had replaced its input already."""

import time
from pathlib import Path

import numpy as np

from catalogs import Catalog, lsbg_columns
from catalogs.blocks import BLOCK_ROWS
from catalogs.errors import InputError
from pipeline.chosen_rows import write_only
from pipeline.job import Job, job_on, journal_of, opened_catalog
from pipeline.journal import Journal, read_identity, record_dtype
from pipeline.options import Options
from pipeline.scratch import scratch_array
from pipeline.summary import Summary, summary_of


def finish_replaced(path: Path, options: Options) -> Summary | None:
    """Finish a run in place that was killed between the replacement and the end.

    Its journal says what it has scored. If the file holds just that, the run was complete but for
    its journal, which is removed.

    Parameters
    ----------
    path : Path
        The file that is annotated in place.
    options : Options

    Returns
    -------
    Summary or None
        None: nothing of the kind has happened, or this is another run.
    """
    job_file = journal_of(path) / "job.json"
    if not options.in_place or not job_file.exists():
        return None
    started_at = time.perf_counter()
    identity = read_identity(job_file)
    if identity is None or identity.get("keep_cutouts"):
        return None
    catalog = opened_catalog(path, options)
    if identity.get("input") == catalog.fingerprint() or not _is_ours(catalog, options, identity):
        return None
    journal = Journal(journal_of(path), identity, record_dtype(options.column_keys), resume=True)
    if not _holds(catalog, options, journal):
        journal.close()
        return None
    journal.remove()
    job = None if options.overwrite_columns else _same_job(catalog, path, options, identity)
    if job is None:
        return None
    summary = summary_of(catalog, job.threshold)
    summary.remarks = [
        f"an earlier run has replaced {path} and was stopped after that: nothing was left to score"
    ]
    if options.only is not None:
        summary.chosen = write_only(path, options)
    summary.total_seconds = time.perf_counter() - started_at
    return summary


def _is_ours(catalog: Catalog, options: Options, identity: dict) -> bool:
    """Tell whether the catalog says that its columns are those of the run with a journal."""
    columns = lsbg_columns(catalog.column_names, options.style, keys=options.column_keys)
    if not {column.name for column in columns} <= set(catalog.column_names):
        return False
    provenance = catalog.provenance()
    keys = ("weights_sha256", "source", "software", "date")
    return all(provenance.get(key) == identity.get(key) for key in keys)


def _holds(catalog: Catalog, options: Options, journal: Journal) -> bool:
    """Tell whether the catalog holds the results of a journal."""
    columns = lsbg_columns(catalog.column_names, options.style, keys=options.column_keys)
    dtype = record_dtype(options.column_keys)
    records = scratch_array((catalog.row_count,), dtype, journal.folder)
    records["row"] = -1
    for unit in journal.results():
        rows = unit["row"]
        if not ((rows >= 0) & (rows < len(records))).all():
            return False
        records[rows] = unit
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        block = records[start:stop]
        in_journal = block["row"] >= 0
        values = catalog.read_columns([column.name for column in columns], start, stop)
        for column, value in zip(columns, values, strict=True):
            written = value[in_journal].astype(column.dtype)
            if not np.array_equal(written, block[column.key][in_journal], equal_nan=True):
                return False
    return True


def _same_job(catalog: Catalog, path: Path, options: Options, identity: dict) -> Job | None:
    """Return the job that the options ask for, if it is the one with a journal."""
    try:
        job = job_on(catalog, path, options)
    except InputError:
        return None
    expected = job.identity(identity["input"])  # which was the fingerprint before the replacement
    expected["date"] = identity["date"]
    return job if expected == identity else None
