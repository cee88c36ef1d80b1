"""The catalog's columns that the gallery shows, sorts and filters by."""

import re
from collections.abc import Sequence

import numpy as np

from catalogs import InputError, find_lsbg_columns
from catalogs.details import ColumnDetail, describe_columns, read_values
from pipeline.report.candidates import Candidates
from pipeline.report.data import packed, visible

_MOST = 30
"""Columns that are shown unless others are asked for."""

_TELLING = re.compile(
    r"mag|(^|_)mu(_|$)|surf|sb_|radius|r_?e(ff)?(_|$)|size|spread|ellip|[ab]_image|sersic|"
    r"kron|colou?r|(^|_)id$|number|tile|patch|tract",
    re.IGNORECASE,
)
"""Names of what tells LSBGs from others, or says which object it is."""

_SAFE = 2**53


def chosen_columns(
    candidates: Candidates, names: Sequence[str] | None = None
) -> list[ColumnDetail]:
    """Choose the columns to show.

    Parameters
    ----------
    candidates : Candidates
    names : sequence of str, optional
        Those asked for, in any case. By default all with one value a row, if there are no more
        than 30, else the first 30 whose names speak of magnitudes, sizes, surface brightness,
        shapes and identity.

    Returns
    -------
    list of ColumnDetail

    Raises
    ------
    InputError
        If there is none of a name, or it has not one value a row.
    """
    catalog = candidates.catalog
    details = {detail.name: detail for detail in describe_columns(catalog)}
    if names is not None:
        return list(dict.fromkeys(_asked_for(name, details, catalog) for name in names))
    shown_anyway = {*find_lsbg_columns(catalog.column_names, catalog.path).values()}
    shown_anyway |= {catalog.position_columns.ra, catalog.position_columns.dec}
    usual = [detail for detail in details.values() if detail.name not in shown_anyway]
    if len(usual) > _MOST:
        usual = [detail for detail in usual if _TELLING.search(detail.name)] or usual
    return usual[:_MOST]


def _asked_for(name: str, details, catalog) -> ColumnDetail:
    alike = [detail for detail in details.values() if detail.name.lower() == name.lower()]
    if name in details:
        return details[name]
    if len(alike) == 1:
        return alike[0]
    if name in catalog.column_names:
        raise InputError(f"{catalog.path}: {name} has not one number or text a row; leave it out")
    raise InputError(
        f"{catalog.path}: no column {name}; it has {', '.join(list(details)[:20])}"
        f"{', ...' if len(details) > 20 else ''}"
    )


def column_data(candidates: Candidates, detail: ColumnDetail, rows: np.ndarray) -> dict:
    """Return a column of some rows as JSON values for the page.

    Parameters
    ----------
    candidates : Candidates
    detail : ColumnDetail
        The column.
    rows : array of int64, shape (N,)
        Numbers of rows in the catalog.

    Returns
    -------
    dict
        ``numbers``: packed, with NaN where there is no value. Or, for texts, and for identifiers
        too long for the numbers of a browser: ``texts``, the different ones, and ``codes``, packed,
        the place in that list for each row; -1 where there is no value.
    """
    values = read_values(candidates.catalog, detail, rows)
    if detail.kind == "integer" and all(v is None or abs(v) <= _SAFE for v in values):
        values = np.array([np.nan if v is None else v for v in values], np.float64)
    if values.dtype != object:
        short = values.astype(np.float32)
        exact = np.isnan(values) | (short == values)
        return {"numbers": packed(short if exact.all() else values)}
    texts = [None if value is None else visible(value) for value in values]
    different = sorted({text for text in texts if text is not None})
    places: dict[str | None, int] = {text: code for code, text in enumerate(different)}
    codes = np.array([places.get(text, -1) for text in texts], np.int32)
    return {"texts": different, "codes": packed(codes)}
