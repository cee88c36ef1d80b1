"""Candidates in a notebook: the panel of the best and the worst, from a file or a table."""

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalogs import InputError, find_lsbg_columns, open_catalog
from lsbg_classifier import CutoutSource, open_source

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    table,
    *,
    n: int = 32,
    cutouts: str | CutoutSource | None = None,
    threshold: float = 0.5,
    label: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    position_unit: str | None = None,
    **source_options,
) -> "Figure":
    """Draw the candidates of the highest and of the lowest probability, and how all are spread.

    Parameters
    ----------
    table : path, astropy.table.Table, pandas.DataFrame or pyarrow.Table
        Rows of a catalog that `annotate` wrote, all or some, in any order, with the columns of
        position, probability and flags.
    n : int
        Cutouts of each kind, at most; no candidate is drawn twice.
    cutouts : str or CutoutSource, optional
        Where images come from, see `lsbg_classifier.open_source`: ``kept:ANNOTATED`` are those
        that a run has kept. Not needed for the path of a catalog whose run has kept them.
    threshold : float
        Probability above which a candidate is called an LSBG, between 0 and 1.
    label : str, optional
        Column with the truth: 1 = LSBG, 0 = not. Cutouts get frames in the colour of their class.
    ra, dec, position_unit : str, optional
        Columns of the position, and its unit (``deg``, ``rad`` or ``hourangle``), where they are
        not found.
    **source_options
        Options of the cutout source, such as ``url``.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it as the last value of a cell; ``savefig`` writes it.

    Raises
    ------
    InputError
        If there are no probabilities, positions or cutouts.
    TypeError
        If the table is of another kind.

    Examples
    --------
    ``make demo`` keeps the cutouts of ``demo/annotated.fits``:

    >>> from lsbg_classifier import show
    >>> figure = show("demo/annotated.fits", n=8)
    >>> figure.savefig("candidates.png")
    """
    if n < 1:
        raise InputError(f"at least one cutout of each kind must be drawn, not {n}")
    from pipeline.report.panel import draw_panel
    from pipeline.report.pictures import Pictures
    from pipeline.table_in_memory import TableInMemory

    where = {"ra": ra, "dec": dec, "position_unit": position_unit}
    path = table if isinstance(table, str | Path) else None
    catalog = TableInMemory(table, **where) if path is None else open_catalog(path, **where)
    candidates = _candidates(catalog, label)
    source = _source(path, cutouts, source_options)
    figure = draw_panel(
        candidates,
        Pictures(None, source, candidates.positions).read,
        name="table" if path is None else Path(path).name,
        count=n,
        threshold=threshold,
    )
    # Notebooks draw figures by themselves only once pyplot has been imported.
    figure._repr_png_ = partial(_png, figure)
    return figure


def _candidates(catalog, label: str | None):
    from pipeline.report.candidates import Candidates

    rows = 0, catalog.row_count
    columns = find_lsbg_columns(catalog.column_names, catalog.path)
    probability, flags = (
        catalog.read_column(columns[key], *rows) for key in ("probability", "flags")
    )
    if not np.isfinite(probability).any():
        raise InputError(f"{catalog.path}: no candidate has a probability to show")
    return Candidates(
        catalog,
        probability.astype(np.float32),
        np.nan_to_num(flags).astype(np.int16),
        catalog.read_positions(*rows),
        None if label is None else _labels(catalog, label),
    )


def _labels(catalog, name: str) -> np.ndarray:
    if name not in catalog.column_names:
        raise InputError(f"{catalog.path}: no column {name}; name the one with the truth")
    values = catalog.read_column(name, 0, catalog.row_count)
    if not np.isin(values, (0, 1)).all():
        raise InputError(f"{catalog.path}: {name} must be 1 (LSBG) or 0 (not) in every row")
    return values.astype(int)


def _source(path, cutouts, options) -> CutoutSource:
    """Open the source of the cutouts; by default those that were kept with the catalog."""
    if isinstance(cutouts, str):
        return open_source(cutouts, **options)
    if cutouts is not None:
        return cutouts
    if path is None:
        raise InputError("say where the cutouts come from, such as cutouts='kept:annotated.fits'")
    from lsbg_classifier.cutouts.kept import KeptSource

    return KeptSource(path)


def _png(figure: "Figure") -> bytes:
    """Return the figure as a notebook shows it."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90)
    return content.getvalue()
