"""Packages that only some users need: the extras of setup.cfg, and what to say without them."""

from importlib import import_module

from catalogs.errors import InputError


def not_installed(need: str, extra: str) -> InputError:
    """Return the error that says which command installs what is missing.

    Parameters
    ----------
    need : str
        What needs which packages, as the beginning of a sentence: ``injection needs galsim``.
    extra : str
        Name of the extra that has these packages.

    Returns
    -------
    InputError
        To be raised. The command is in quotes, because zsh takes brackets for a pattern.
    """
    return InputError(f"{need}, not installed here: pip install 'lsbg-classifier[{extra}]'")


def require(subject: str, packages: tuple[str, ...], extra: str) -> None:
    """Import packages, so that a missing one is an error of one line.

    Parameters
    ----------
    subject : str
        What needs them, in the singular: ``injection``.
    packages : tuple of str
        Names to import.
    extra : str
        Name of the extra that has these packages.

    Raises
    ------
    InputError
        If one cannot be imported.
    """
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise not_installed(f"{subject} needs {package}", extra) from error
