"""LSBG probabilities in lsdb: a step for lazy catalogs, and one HATS catalog made into another.

``lsbg classify`` and `pipeline.annotate` read HATS catalogs themselves; `classify_hats` is the
latter under a name of its own. The rest of this module is for users of lsdb: each partition is
annotated by the Dask worker that holds it.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import InputError, open_catalog
from catalogs.columns import already_there, find_lsbg_columns, lsbg_columns
from pipeline.annotate import annotate
from pipeline.locations import absolute_file, anywhere
from pipeline.options import OPTIONS
from pipeline.stages._in_memory import naming_the_catalog
from pipeline.summary import Summary

if TYPE_CHECKING:
    import lsdb
    import nested_pandas as npd

_OURS = b"lsbg."
_FILES = ("weights", "select")
"""Options that may name a file; those of the source of cutouts are in `pipeline.locations`."""

PARTITION_OPTIONS = tuple(
    option for option in OPTIONS if not option.whole_run and option.name != "cutouts"
)
"""The options of `annotate` that make sense for a partition."""


def classify_catalog(catalog: "lsdb.Catalog", *, cutouts: str, **options) -> "lsdb.Catalog":
    """Return a catalog with the probability and the flags of every row; nothing is computed yet.

    Parameters
    ----------
    catalog : lsdb.Catalog
        A lazy one. Its margin is dropped: a margin repeats rows of other partitions, which are
        scored there.
    cutouts : str
        Where the images come from, for each worker; see `lsbg_classifier.open_source`.
    options
        Those of `pipeline.annotate` in `PARTITION_OPTIONS`, and ``source_options``. The random
        numbers of ``uncertainty`` depend on the number of a row in its partition.

    Returns
    -------
    lsdb.Catalog
        The new columns come last: float32, null where not scored, and int16, never null.

    Raises
    ------
    InputError
        At once, for options with which no partition could be annotated: unknown weights or source,
        weights for other images, a wrong selection, columns of ours that exist already.

    Examples
    --------
    Score a catalog, and write it with what the new columns come from::

        catalog = lsdb.open_catalog("candidates_hats", columns="all")
        scored = classify_catalog(catalog, cutouts="tiles:TILES")
        properties = hats_properties(catalog, cutouts="tiles:TILES")
        scored.write_catalog("scored_hats", addl_hats_properties=properties)
    """
    cutouts, options = anywhere(cutouts, _complete(catalog, options))
    added = _annotated(catalog.meta, cutouts, options)
    meta = _joined(catalog.meta, added)
    scored = catalog.map_partitions(classify_partition, cutouts, options, meta=meta)
    scored.margin = None
    return scored


def classify_partition(
    partition: "npd.NestedFrame", cutouts: str, options: Mapping[str, Any]
) -> "npd.NestedFrame":
    """Return one partition with the new columns: the function that lsdb calls.

    Parameters
    ----------
    partition : NestedFrame
    cutouts : str
    options : mapping
        As in `classify_catalog`; the position must be named by ``ra`` and ``dec``.

    Returns
    -------
    NestedFrame
        With the same rows in the same order.
    """
    return _joined(partition, _annotated(partition, cutouts, options))


def hats_properties(catalog: "lsdb.Catalog", *, cutouts: str, **options) -> dict[str, str]:
    """Return the ``addl_hats_properties`` for `lsdb.Catalog.write_catalog`.

    They say once how the columns were made: ``lsbg.weights``, ``lsbg.source``, and so on.

    Parameters
    ----------
    catalog : lsdb.Catalog
        What `classify_catalog` was given.
    cutouts, options
        As for `classify_catalog`.

    Returns
    -------
    dict of str to str
        By names such as ``lsbg.weights``.

    Raises
    ------
    InputError
        As of `classify_catalog`, which has an example.
    """
    added = _annotated(catalog.meta, cutouts, _complete(catalog, options))
    metadata = added.schema.metadata
    return {key.decode(): metadata[key].decode() for key in metadata if key.startswith(_OURS)}


def classify_hats(
    input_path: Path | str, output: Path | str, *, cutouts: str, **options: Any
) -> Summary:
    """Write a HATS catalog with the new columns, as the command does: `annotate` for HATS alone.

    Parameters
    ----------
    input_path : path
        A HATS catalog or collection.
    output : path
        A HATS catalog without a margin; it appears under this name only when it is whole.
    cutouts, options
        As for `pipeline.annotate`: with ``workers`` or ``scheduler`` the workers read and write
        partitions, and with ``resume`` a run that was stopped goes on.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        If the input is no HATS catalog, or for anything else that the user can fix; see
        `pipeline.annotate`.
    TypeError
        For an option that does not exist; the message lists those that do.

    Examples
    --------
    ::

        classify_hats("candidates_hats", "scored_hats", cutouts="tiles:TILES", workers=4)
    """
    found = open_catalog(input_path).format
    if found != "hats":
        raise InputError(
            f"{input_path}: is in the format {found}, not a HATS catalog; use annotate for it"
        )
    return annotate(input_path, output, cutouts=cutouts, **options)


def _complete(catalog: "lsdb.Catalog", options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the options, and add the position's columns, which only the whole catalog names."""
    names = {option.name for option in PARTITION_OPTIONS} | {"source_options"}
    unknown = set(options) - names
    if unknown:
        raise InputError(
            f"a partition has no option {min(unknown)}; it has {', '.join(sorted(names))}"
        )
    info = catalog.hc_structure.catalog_info
    position = {"ra": info.ra_column, "dec": info.dec_column, "position_unit": "deg"}
    files = {name: absolute_file(options[name]) for name in _FILES if options.get(name)}
    return position | dict(options) | files


def _annotated(frame: "npd.NestedFrame", cutouts: str, options: Mapping[str, Any]) -> pa.Table:
    """Return the columns that `annotate` adds to a frame, in a table with the provenance."""
    with TemporaryDirectory(prefix="lsbg-") as folder:
        before, after = Path(folder, "before.parquet"), Path(folder, "after.parquet")
        pq.write_table(frame.to_pyarrow(), before)
        with naming_the_catalog(before):
            annotate(before, after, cutouts=cutouts, **options)
        added = find_lsbg_columns(pq.read_schema(after).names, after)
        return pq.read_table(after, columns=list(added.values()))


def _joined(frame: "npd.NestedFrame", added: pa.Table) -> "npd.NestedFrame":
    """Return a frame with columns at its end, and without earlier ones of their names."""
    import pandas as pd

    names = list(frame.columns)
    frame = frame.drop(columns=already_there(lsbg_columns(names), names))
    arrays = {name: pd.arrays.ArrowExtensionArray(added[name]) for name in added.column_names}
    return frame.assign(**arrays)
