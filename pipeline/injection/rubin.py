"""Catalogs of Rubin's ``source_injection`` as the truth of mocks, and Rubin's objects.

Three catalogs are read, by their columns (lsst/source_injection, documentation of its catalogs):
what goes in, of one band (``ra``, ``dec``, ``source_type``, ``mag``, ``half_light_radius`` in
arcsec, ``n``, ``q``); what its tasks write beside the injected images, with ``injection_flag``; and
the bands of a tract together, with ``g_mag``, ``r_mag``, ... and ``injected_isPrimary``. A profile
keeps its area when it is sheared to the axis ratio ``q``, so that ``half_light_radius`` is along
the geometric mean of the axes, as R_EFF is.
"""

import logging
import re
from collections.abc import Mapping

import numpy as np

from catalogs import Catalog, find_selection
from catalogs.blocks import BLOCK_ROWS

_log = logging.getLogger(__name__)

_SIZE = "HALF_LIGHT_RADIUS"
_PROFILES = ("Sersic", "Exponential", "DeVaucouleurs", "Spergel")
"""Kinds of sources that have a half-light radius."""

_BAND_MAGNITUDE = re.compile(r"([UGRIZY])_MAG")


def is_of_source_injection(properties: Mapping[str, np.ndarray]) -> bool:
    """Tell whether columns, by their names in upper case, are those of ``source_injection``."""
    return _SIZE in properties and "R_EFF" not in properties


def injected_rows(catalog: Catalog) -> np.ndarray:
    """Return which rows are galaxies that were injected, each once: bool, shape (rows,).

    Stars and stamps, sources that could not be injected, and the same sources in the overlaps of
    patches are left out; the log says how many.

    Parameters
    ----------
    catalog : Catalog
    """
    names = {name.lower(): name for name in catalog.column_names}
    kinds = ", ".join(f'"{kind}"' for kind in _PROFILES)
    conditions = {
        "source_type": (f"{{}} in ({kinds})", "are no galaxies with a half-light radius"),
        "injection_flag": ("{} == 0", "could not be injected (injection_flag)"),
        "injected_isprimary": ("{}", "lie in overlaps of patches (injected_isPrimary)"),
    }
    rows = np.ones(catalog.row_count, bool)
    for name, (condition, reason) in conditions.items():
        if name in names:
            passing = rows & _passing(catalog, condition.format(names[name]))
            if left_out := int(rows.sum() - passing.sum()):
                _log.info("%s: %d rows are left out: they %s", catalog.path, left_out, reason)
            rows = passing
    return rows


def _passing(catalog: Catalog, condition: str) -> np.ndarray:
    selection = find_selection(condition, catalog)
    parts = [
        selection.keep(catalog, start, min(start + BLOCK_ROWS, catalog.row_count))
        for start in range(0, catalog.row_count, BLOCK_ROWS)
    ]
    return np.concatenate([np.empty(0, bool), *parts])


def translated(properties: Mapping[str, np.ndarray], band: str) -> dict[str, np.ndarray]:
    """Give the columns the names of our truth tables.

    Parameters
    ----------
    properties : mapping of str to array
        By names in upper case.
    band : str
        That of a column ``mag``, which does not say its own.

    Returns
    -------
    dict of str to array
    """
    ours = dict(properties)
    ours["R_EFF"] = ours.pop(_SIZE)
    if "N" in ours:
        ours["SERSIC_N"] = ours.pop("N")
    if "Q" in ours:
        ours["ELLIPTICITY"] = 1 - ours.pop("Q")
    if "MAG" in ours:
        ours[f"MAG_{band.upper()}"] = ours.pop("MAG")
    for name in list(ours):
        if match := _BAND_MAGNITUDE.fullmatch(name):
            ours[f"MAG_{match[1]}"] = ours.pop(name)
    return ours


def primary_rows(catalog: Catalog) -> np.ndarray:
    """Return which objects are those that Rubin's pipelines count: bool, shape (rows,).

    Parents of blends and duplicates in overlaps have ``detect_isPrimary`` false; catalogs without
    such a column are kept whole.

    Parameters
    ----------
    catalog : Catalog
    """
    name = next((n for n in catalog.column_names if n.lower() == "detect_isprimary"), None)
    if name is None:
        return np.ones(catalog.row_count, bool)
    rows = _passing(catalog, name)
    _log.info("%s: %d of %d objects are primary (%s)", catalog.path, rows.sum(), len(rows), name)
    return rows
