"""Tables on disk: which columns are the position, and how columns join without harm to the rest."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalogs.chosen import check_chosen, write_chosen
    from catalogs.columns import AddedColumn, find_lsbg_columns, lsbg_columns
    from catalogs.contract import Catalog
    from catalogs.errors import InputError
    from catalogs.opening import open_catalog
    from catalogs.output import check_output
    from catalogs.positions import PositionColumns
    from catalogs.selection import Selection, find_selection

__all__ = [
    "AddedColumn",
    "Catalog",
    "InputError",
    "PositionColumns",
    "Selection",
    "check_chosen",
    "check_output",
    "find_lsbg_columns",
    "find_selection",
    "lsbg_columns",
    "open_catalog",
    "write_chosen",
]

_HOMES = {
    "AddedColumn": "catalogs.columns",
    "Catalog": "catalogs.contract",
    "InputError": "catalogs.errors",
    "PositionColumns": "catalogs.positions",
    "Selection": "catalogs.selection",
    "check_chosen": "catalogs.chosen",
    "check_output": "catalogs.output",
    "find_lsbg_columns": "catalogs.columns",
    "find_selection": "catalogs.selection",
    "lsbg_columns": "catalogs.columns",
    "open_catalog": "catalogs.opening",
    "write_chosen": "catalogs.chosen",
}
"""The module of each name that is loaded when it is first used, so that a start is quick."""


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value
