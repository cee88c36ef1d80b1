"""One sky position, one cutout, one probability of being a low-surface-brightness galaxy.

This is the public face: everything that users of the package need is imported from here. Names
are loaded when they are first used, so that importing this package is quick.
"""

import logging
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from lsbg_classifier.floors import import_own, prefer_own

if TYPE_CHECKING:
    from catalogs import open_catalog
    from catalogs.errors import InputError
    from catalogs.flags import Flag
    from lsbg_classifier.classifier import Classifier, load_classifier
    from lsbg_classifier.completeness.model import load_completeness
    from lsbg_classifier.cutouts.source import CutoutSource, open_source
    from lsbg_classifier.scoring import classify_positions
    from pipeline.annotate import annotate
    from pipeline.show import show

    __version__: str

__all__ = [
    "Classifier",
    "CutoutSource",
    "Flag",
    "InputError",
    "__version__",
    "annotate",
    "classify_positions",
    "load_classifier",
    "load_completeness",
    "open_catalog",
    "open_source",
    "show",
]

_HOMES = {
    "Classifier": "lsbg_classifier.classifier",
    "CutoutSource": "lsbg_classifier.cutouts.source",
    "Flag": "catalogs.flags",
    "InputError": "catalogs.errors",
    "annotate": "pipeline.annotate",
    "classify_positions": "lsbg_classifier.scoring",
    "load_classifier": "lsbg_classifier.classifier",
    "load_completeness": "lsbg_classifier.completeness.model",
    "open_catalog": "catalogs",
    "open_source": "lsbg_classifier.cutouts.source",
    "show": "pipeline.show",
}
"""The module of each name. Those in `pipeline` are the one look at the floor above."""

prefer_own("catalogs")
logging.getLogger(__name__).addHandler(logging.NullHandler())  # quiet unless the user listens


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name == "__version__":
        value = version("lsbg-classifier")  # `catalogs.software` would load much more
    elif name in _HOMES:
        home = _HOMES[name]
        load = import_own if home.startswith("pipeline.") else import_module
        value = getattr(load(home), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names too that are not loaded yet."""
    return sorted({*globals(), *__all__})
