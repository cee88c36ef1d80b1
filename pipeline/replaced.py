"""What a run in place has left that was killed after it had replaced its input."""

import time
from pathlib import Path

import numpy as np

from catalogs import Catalog, find_lsbg_columns, find_selection, lsbg_columns, open_catalog
from catalogs.blocks import BLOCK_ROWS
from catalogs.errors import InputError
from catalogs.urls import masked
from lsbg_classifier import open_source
from lsbg_classifier.weights.registry import find_weights
from pipeline.chosen_rows import write_only
from pipeline.job import journal_of
from pipeline.journal import Journal, read_identity, record_dtype
from pipeline.options import Options
from pipeline.summary import Summary


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
    started = journal_of(path) / "job.json"
    if not options.in_place or not started.exists():
        return None
    begun = time.perf_counter()
    identity = read_identity(started)
    if identity is None or identity.get("keep_cutouts"):
        return None
    catalog = _opened(path, options)
    if identity.get("input") == catalog.fingerprint() or not _is_ours(catalog, options, identity):
        return None
    journal = Journal(journal_of(path), identity, record_dtype(options.column_keys), resume=True)
    if not _holds(catalog, options, journal):
        journal.close()
        return None
    journal.remove()
    if options.overwrite_columns or not _is_same_run(catalog, options, identity):
        return None
    summary = _counted(catalog, options)
    if options.only is not None:
        summary.chosen = write_only(path, options)
    summary.total_seconds = time.perf_counter() - begun
    return summary


def _opened(path: Path, options: Options) -> Catalog:
    return open_catalog(
        path,
        format=options.format,
        table=options.table,
        ra=options.ra,
        dec=options.dec,
        position_unit=options.position_unit,
    )


def _is_ours(catalog: Catalog, options: Options, identity: dict) -> bool:
    """Tell whether the catalog says that its columns are those of the run with a journal."""
    columns = lsbg_columns(catalog.column_names, options.style, keys=options.column_keys)
    if not {column.name for column in columns} <= set(catalog.column_names):
        return False
    said = catalog.provenance()
    keys = ("weights_sha256", "source", "software", "date")
    return all(said.get(key) == identity.get(key) for key in keys)


def _holds(catalog: Catalog, options: Options, journal: Journal) -> bool:
    """Tell whether the catalog holds the results of a journal."""
    columns = lsbg_columns(catalog.column_names, options.style, keys=options.column_keys)
    records = np.zeros(catalog.row_count, record_dtype(options.column_keys))
    records["row"] = -1
    for unit in journal.results():
        if unit["row"].min(initial=0) < 0 or unit["row"].max(initial=0) >= len(records):
            return False
        records[unit["row"]] = unit
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        block = records[start:stop]
        known = block["row"] >= 0
        values = catalog.read_columns([column.name for column in columns], start, stop)
        for column, value in zip(columns, values, strict=True):
            same = value[known].astype(column.dtype), block[column.key][known]
            if not np.array_equal(*same, equal_nan=True):
                return False
    return True


def _is_same_run(catalog: Catalog, options: Options, identity: dict) -> bool:
    """Tell whether the run with a journal is the one that is asked for."""
    selection = None if options.select is None else find_selection(options.select, catalog).text
    try:
        source = masked(open_source(options.cutouts, **options.of_source).spec)
        weights = find_weights(options.weights).card.sha256
    except InputError:
        return False
    asked = {
        "weights_sha256": weights,
        "source": source,
        "select": selection,
        "columns": list(options.column_keys),
    }
    return all(identity.get(key) == value for key, value in asked.items())


def _counted(catalog: Catalog, options: Options) -> Summary:
    """Count what the catalog holds, as a run does at its end."""
    threshold = options.threshold
    if threshold is None:
        threshold = find_weights(options.weights).card.threshold
    summary = Summary(threshold)
    names = find_lsbg_columns(catalog.column_names, catalog.path)
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        wanted = (names["probability"], names["flags"])
        probability, flags = catalog.read_columns(wanted, start, stop)
        summary.count(probability.astype(np.float32), flags.astype(np.int16))
    summary.remarks = [
        f"an earlier run has replaced {catalog.path} and was stopped after that: nothing was left "
        "to score"
    ]
    return summary
