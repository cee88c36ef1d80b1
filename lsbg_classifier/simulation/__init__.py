"""Simulated survey images, and the candidates that a search would find in them."""

from importlib import import_module

from catalogs.errors import InputError

for _package in ("galsim", "sep"):
    try:
        import_module(_package)
    except ImportError as error:
        raise InputError(
            f"simulations need {_package}, which is not installed here: "
            "pip install lsbg-classifier[simulate]"
        ) from error
