"""Mock low-surface-brightness galaxies in the user's own images: drawn, placed, written."""

from importlib import import_module

from catalogs.errors import InputError

for _package in ("galsim", "sep"):
    try:
        import_module(_package)
    except ImportError as error:
        raise InputError(
            f"injection needs {_package}, which is not installed here: "
            "pip install lsbg-classifier[simulate]"
        ) from error
