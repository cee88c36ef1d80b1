"""The one error that stands for something the user can mend."""

from catalogs.urls import masked


class InputError(Exception):
    """Something the user can mend: a file, an option, a name.

    The message is one line that says what is wrong, where, and what to do; passwords and queries
    of URLs are masked in it. Commands print it and exit with a non-zero status, without a
    traceback.
    """

    def __init__(self, message: str):
        super().__init__(masked(message))
