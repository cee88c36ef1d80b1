"""The one error that stands for something the user can fix, and errors of others in one line."""

from catalogs.urls import masked


class InputError(Exception):
    """Something the user can fix: a file, an option, a name.

    The message is one line that says what is wrong, where, and what to do; passwords and queries
    of URLs are masked in it. Commands print it and exit with a non-zero status, without a
    traceback.

    Examples
    --------
    >>> from lsbg_classifier import InputError, open_catalog
    >>> try:
    ...     open_catalog("missing.fits")
    ... except InputError as error:
    ...     print(error)
    missing.fits: no such file or folder
    """

    def __init__(self, message: str):
        super().__init__(masked(message))


def one_line(error: object, most: int = 200) -> str:
    """Return the text of an error in one line, or the name of its type if it has no text.

    Parameters
    ----------
    error : Exception or str
        An error of a library, whose text may have several lines; or such a text.
    most : int
        Characters after which it is cut.

    Returns
    -------
    str
        At most `most` characters; empty only for an empty text.
    """
    text = " ".join(str(error).split())[:most]
    return text or (type(error).__name__ if isinstance(error, Exception) else "")
