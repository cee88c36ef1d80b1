"""LSBG probabilities in lsdb: a step for lazy catalogs, and one HATS catalog made into another.

``lsbg classify`` and `pipeline.annotate` read HATS catalogs themselves. What is here is for those
who work in lsdb already: each partition is annotated where Dask has it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import InputError, check_output, open_catalog
from catalogs.columns import already_there, lsbg_columns
from catalogs.output import remove_partials, written_whole
from pipeline.annotate import annotate
from pipeline.cluster import connect
from pipeline.job import Options
from pipeline.plan import BLOCK
from pipeline.summary import Summary

if TYPE_CHECKING:
    import lsdb
    import nested_pandas as npd

_OURS = b"lsbg."
_OF_WHOLE_RUNS = {"scheduler", "workers", "resume", "overwrite", "keep_cutouts", "vo_metadata"}
_OPTIONS = {field.name for field in fields(Options)} - _OF_WHOLE_RUNS - {"format", "table"}


def classify_catalog(catalog: "lsdb.Catalog", *, cutouts: str, **options) -> "lsdb.Catalog":
    """Return a catalog with the probability and the flags of every row; nothing is computed yet.

    Parameters
    ----------
    catalog : lsdb.Catalog
        As lazy as it comes. Its margin is dropped: a margin repeats rows of other partitions,
        which are scored there.
    cutouts : str
        Where the images come from, for each worker; see `lsbg_classifier.open_source`.
    options
        Attributes of `pipeline.job.Options`: ``weights``, ``threshold``, ``ra``, ``dec``,
        ``position_unit``, ``select``, ``style``, ``source_options``, ``chunk_size``,
        ``overwrite_columns``, ``allow_mismatch``.

    Returns
    -------
    lsdb.Catalog
        The two columns come last: float32, null where not scored, and int16, never null.

    Raises
    ------
    InputError
        At once, for what no partition could be annotated with: unknown weights or source, weights
        for other images, a wrong selection, columns that are there already.
    """
    options = _complete(catalog, options)
    added = _annotated(catalog.meta, cutouts, options)
    meta = _joined(catalog.meta, added)
    scored = catalog.map_partitions(classify_partition, cutouts, options, meta=meta)
    scored.margin = None
    return scored


def classify_partition(
    partition: "npd.NestedFrame", cutouts: str, options: Mapping[str, object]
) -> "npd.NestedFrame":
    """Return one partition with two columns more: what `classify_catalog` gives to lsdb.

    Parameters
    ----------
    partition : NestedFrame
    cutouts : str
    options : mapping
        As in `classify_catalog`; the position must be named by ``ra`` and ``dec``.
    """
    return _joined(partition, _annotated(partition, cutouts, options))


def hats_properties(catalog: "lsdb.Catalog", *, cutouts: str, **options) -> dict[str, str]:
    """Return what `lsdb.Catalog.write_catalog` takes as ``addl_hats_properties``.

    They say once how the columns came about: ``lsbg.weights``, ``lsbg.source``, and so on.

    Parameters
    ----------
    catalog : lsdb.Catalog
        What `classify_catalog` was given.
    cutouts, options
        As for `classify_catalog`.
    """
    added = _annotated(catalog.meta, cutouts, _complete(catalog, options))
    found = added.schema.metadata
    return {key.decode(): found[key].decode() for key in found if key.startswith(_OURS)}


def classify_hats(
    input_path: Path | str,
    output: Path | str,
    *,
    cutouts: str,
    scheduler: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    **options,
) -> Summary:
    """Write a HATS catalog with two columns more, through lsdb: the workers read and write too.

    Parameters
    ----------
    input_path : path
        A HATS catalog or collection.
    output : path
        A HATS catalog without a margin; it appears under this name only when it is whole. A run
        that was stopped starts again.
    cutouts, options
        As for `classify_catalog`.
    scheduler : str, optional
        Address of a running Dask scheduler, whose workers see both folders.
    workers : int, optional
        Without a scheduler: start so many worker processes instead of threads.
    overwrite : bool
        Replace an output that exists.

    Returns
    -------
    Summary
        Without the times of the workers.

    Raises
    ------
    InputError
        For anything that the user can mend; see `pipeline.annotate`.
    """
    lsdb, output, started = _lsdb(), Path(output), time.perf_counter()
    check_output(input_path, output, overwrite)
    open_catalog(input_path)  # says in one line what is wrong with it
    catalog = lsdb.open_catalog(input_path, columns="all")
    scored = classify_catalog(catalog, cutouts=cutouts, **options)
    properties = hats_properties(catalog, cutouts=cutouts, **options)
    remove_partials(output)
    # The workers end before what they have written is named, or removed.
    with written_whole(output) as new, connect(scheduler, workers) as client, client.as_current():
        scored.write_catalog(
            new,
            as_collection=False,
            catalog_name=catalog.name,
            default_columns=_default_columns(catalog, scored),
            inherit_provenance=True,
            addl_hats_properties=properties,
            progress_bar=False,
        )
    summary = _summary(output, scored.columns[-2:], float(properties["lsbg.threshold"]))
    summary.total_seconds = time.perf_counter() - started
    return summary


def _lsdb():
    try:
        import lsdb
    except ImportError as error:
        raise InputError(
            "HATS catalogs need lsdb, which is not installed here: "
            "pip install lsbg-classifier[hats]"
        ) from error
    return lsdb


def _complete(catalog: "lsdb.Catalog", options: Mapping[str, object]) -> dict[str, object]:
    """Check the options, and add what the catalog knows and a partition does not: its position."""
    unknown = set(options) - _OPTIONS
    if unknown:
        there = ", ".join(sorted(_OPTIONS))
        raise InputError(f"no option {min(unknown)} of a partition; there are {there}")
    info = catalog.hc_structure.catalog_info
    position = {"ra": info.ra_column, "dec": info.dec_column, "position_unit": "deg"}
    return position | dict(options)


def _annotated(frame: "npd.NestedFrame", cutouts: str, options: Mapping[str, object]) -> pa.Table:
    """Return the columns that `annotate` adds to a frame, in a table with the provenance."""
    with TemporaryDirectory(prefix="lsbg-") as folder:
        before, after = Path(folder, "before.parquet"), Path(folder, "after.parquet")
        pq.write_table(frame.to_pyarrow(), before)
        annotate(before, after, cutouts=cutouts, **options)
        return pq.read_table(after, columns=pq.read_schema(after).names[-2:])


def _joined(frame: "npd.NestedFrame", added: pa.Table) -> "npd.NestedFrame":
    """Return a frame with columns at its end, and without earlier ones of their names."""
    import pandas as pd

    names = list(frame.columns)
    frame = frame.drop(columns=already_there(lsbg_columns(names), names))
    arrays = {name: pd.arrays.ArrowExtensionArray(added[name]) for name in added.column_names}
    return frame.assign(**arrays)


def _default_columns(catalog: "lsdb.Catalog", scored: "lsdb.Catalog") -> list[str] | None:
    """Load our columns by default too, where not all are."""
    known = catalog.hc_structure.catalog_info.default_columns
    if known is None:
        return None
    return [*(name for name in known if name in scored.columns), *scored.columns[-2:]]


def _summary(output: Path, names: Sequence[str], threshold: float) -> Summary:
    """Count what was written in the columns of those names."""
    catalog, summary = open_catalog(output), Summary(threshold)
    for start in range(0, catalog.row_count, BLOCK):
        stop = min(start + BLOCK, catalog.row_count)
        probability, flags = catalog.read_columns(names, start, stop)
        summary.count(probability.astype("f4"), flags.astype("i2"))
    return summary
