"""Candidates found in images by SEP, SourceExtractor's methods as a library."""

from importlib import import_module

from catalogs.errors import InputError

try:
    import_module("sep")
except ImportError as error:
    raise InputError(
        "detection needs sep, which is not installed here: pip install lsbg-classifier[simulate]"
    ) from error
