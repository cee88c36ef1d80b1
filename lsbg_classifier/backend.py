"""The start of the network's backend, without its talk."""

import logging
import os
import sys
from threading import Lock

_starting = Lock()


def start_backend():
    """Import Keras and start its backend, keeping what C++ code says then from standard error.

    One thread at a time: two that redirect it at once would leave it lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _starting:
        if "tensorflow" in sys.modules or sys.__stderr__ is None:
            return
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            import keras

            keras.ops.zeros(1)
            logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else: too many networks
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
