"""The rows of an annotated catalog that a condition chooses, written beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import AddedColumn, Catalog, check_chosen, find_selection, open_catalog, write_chosen
from catalogs.beside import chosen_output
from catalogs.blocks import BLOCK_ROWS
from catalogs.exact import ColumnKind, kind_of
from catalogs.output import remove_partials
from pipeline.options import Options


@dataclass(frozen=True)
class _Annotated:
    """What a catalog will hold once its columns are added."""

    catalog: Catalog
    columns: Sequence[AddedColumn]

    @property
    def path(self) -> Path | str:
        return self.catalog.path

    @property
    def column_names(self) -> tuple[str, ...]:
        ours = [column.name for column in self.columns]
        return (*(name for name in self.catalog.column_names if name not in ours), *ours)

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; ours are numbers, or whole numbers."""
        for column in self.columns:
            if column.name == name:
                return ColumnKind("integer" if np.dtype(column.dtype).kind == "i" else "number")
        return kind_of(self.catalog, name)


def check_only(condition: str, catalog: Catalog, columns: Sequence[AddedColumn]):
    """Refuse a condition that the annotated catalog will not understand, before it is made.

    Parameters
    ----------
    condition : str
        As for `catalogs.find_selection`.
    catalog : Catalog
        The input.
    columns : sequence of AddedColumn

    Raises
    ------
    InputError
        If it is none, or the format of the catalog cannot be written with some of its rows.
    """
    check_chosen(catalog)
    find_selection(condition, _Annotated(catalog, columns), option="--only")


def write_only(output: Path, options: Options) -> int:
    """Write the rows of an annotated catalog for which ``--only`` is true; return how many.

    Parameters
    ----------
    output : Path
        The annotated catalog.
    options : Options

    Returns
    -------
    int
        Number of rows.
    """
    catalog = open_catalog(
        output,
        format=options.format,
        table=options.table,
        ra=options.ra,
        dec=options.dec,
        position_unit=options.position_unit,
    )
    selection = find_selection(options.only or "", catalog, option="--only")
    keep = np.zeros(catalog.row_count, np.bool_)
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        keep[start:stop] = selection.keep(catalog, start, stop)
    target = chosen_output(output)
    remove_partials(target)
    write_chosen(catalog, target, keep)
    return int(np.count_nonzero(keep))
