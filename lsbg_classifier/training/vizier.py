"""Published LSBGs from VizieR, where the surveys put them."""

import warnings
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from astropy.table import Table

from catalogs.errors import InputError, one_line
from catalogs.output import written_whole
from lsbg_classifier.folders import cache_folder

CATALOGS: Mapping[str, str] = MappingProxyType({"des": "J/ApJS/252/18", "hsc": "J/ApJ/857/104"})
"""LSBGs of DES (Tanoglidis et al. 2021) and of HSC (Greco et al. 2018)."""

_TIMEOUT = 120
_LONGEST_REASON = 200
_COLUMNS = ("_RAJ2000", "_DEJ2000")
"""What VizieR computes for any table with positions: ICRS degrees."""


def vizier_lsbgs(survey: str, *, server: str | None = None) -> Table:
    """Return the positions of a survey's published LSBGs, asked for once and then cached.

    Parameters
    ----------
    survey : str
        One of `CATALOGS`.
    server : str, optional
        Name of another mirror of VizieR.

    Returns
    -------
    astropy.table.Table
        Columns ``ra`` and ``dec``, degrees; sorted, each position once.

    Raises
    ------
    InputError
        If VizieR cannot be reached, or has no such table.
    """
    path = cache_folder() / "lists" / f"vizier-{survey}.csv"
    if not path.is_file():
        positions = np.unique(_query(CATALOGS[survey], server), axis=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            Table(positions, names=("ra", "dec")).write(partial, format="ascii.csv")
    return Table.read(path, format="ascii.csv", guess=False)


def _query(catalog: str, server: str | None) -> np.ndarray:
    """Ask VizieR for the positions of the largest table of a catalog; shape (N, 2)."""
    from astroquery.exceptions import TableParseError

    try:
        tables = [_positions(table) for table in _tables(catalog, server)]
    except (OSError, ValueError, TableParseError) as error:
        reason = one_line(error, _LONGEST_REASON)
        raise InputError(
            f"VizieR {catalog}: cannot be fetched ({reason}); take the published lists instead"
        ) from error
    largest = max(tables, key=len, default=np.empty((0, 2)))
    if not len(largest):
        raise InputError(
            f"VizieR {catalog}: the answer has no table with positions; try again later"
        )
    return largest


def _tables(catalog: str, server: str | None) -> list[Table]:
    """Return the tables of a catalog that have positions."""
    from astroquery import cache_conf
    from astroquery.utils import TableList
    from astroquery.vizier import Vizier

    options = {} if server is None else {"vizier_server": server}
    vizier = Vizier(columns=list(_COLUMNS), row_limit=-1, timeout=_TIMEOUT, **options)
    # A damaged answer is told by its tables, and must not be kept by astroquery.
    with cache_conf.set_temp("cache_active", False), warnings.catch_warnings(action="ignore"):
        tables = vizier.get_catalogs(catalog)
    if not isinstance(tables, TableList):
        raise ValueError("the answer is no VOTable")
    return [table for table in tables.values() if _has_positions(table)]


def _has_positions(table: Table) -> bool:
    return all(name in table.colnames and table[name].dtype.kind == "f" for name in _COLUMNS)


def _positions(table: Table) -> np.ndarray:
    columns = [np.ma.filled(table[name].astype(float), np.nan) for name in _COLUMNS]
    positions = np.stack(columns, axis=1)
    return positions[np.isfinite(positions).all(axis=1)]
