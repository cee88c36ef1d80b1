"""The one error that stands for something the user can mend."""


class InputError(Exception):
    """Something the user can mend: a file, an option, a name.

    The message is one line that says what is wrong, where, and what to do. Commands print it and
    exit with a non-zero status, without a traceback.
    """
