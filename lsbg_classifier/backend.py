"""The start of the network's backend, without the messages that it prints."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from catalogs.errors import InputError, one_line

_starting = Lock()


def start_backend():
    """Import Keras and start its backend; messages of its C++ code do not reach standard error.

    One thread at a time: two that redirect it at once would leave it lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _starting:
        if "tensorflow" in sys.modules or sys.__stderr__ is None:
            return
        original_stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            with _nothing_collected():
                _import_keras()
            logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else: too many networks
        finally:
            os.dup2(original_stderr, 2)
            os.close(original_stderr)
            os.close(nowhere)


def _import_keras():
    """Import Keras with its backend, or say in one line what is missing."""
    try:
        import keras

        keras.ops.zeros(1)
    except ImportError as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        reason = one_line(error)
        raise InputError(
            f"Keras cannot start its backend {backend} ({reason}): install it, or unset "
            "KERAS_BACKEND"
        ) from error
    except ValueError as error:
        reason = one_line(error)
        raise InputError(f"Keras cannot start ({reason}): unset KERAS_BACKEND") from error


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Switch the garbage collector off: importing makes no garbage, and a search takes a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # all that there is counts as old now, and is not looked through soon
        if enabled:
            gc.enable()
