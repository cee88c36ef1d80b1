"""What this software is called, and which version of it is installed."""

from functools import cache
from importlib.metadata import version

PACKAGE = "lsbg-classifier"
"""Name of the installed package."""


@cache
def installed_version() -> str:
    """Return the version of the installed package, which comes from the tags of git."""
    return version(PACKAGE)


def software_name() -> str:
    """Return name and version, as provenance has them: ``lsbg_classifier 1.2.3``."""
    return f"lsbg_classifier {installed_version()}"
