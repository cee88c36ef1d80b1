"""Load trained weights and turn cutouts into probabilities."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, WeightSet, find_weights

_BATCH = 128


def load_classifier(name: str | os.PathLike = DEFAULT_WEIGHTS) -> "Classifier":
    """Load a weight set.

    Parameters
    ----------
    name : str or path
        A registered name (``lsbg weights`` lists them) or the path of a ``.weights.h5`` file with
        its card (``.json``) beside it.

    Raises
    ------
    InputError
        If the name is unknown, or the file is not what its card describes.
    """
    return Classifier(find_weights(name))


_starting = Lock()


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Keep what TensorFlow's C++ side says when it starts from standard error.

    One thread at a time: two that redirect it at once would leave it lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _starting:
        if "tensorflow" in sys.modules or sys.__stderr__ is None:
            yield
            return
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


class Classifier:
    """The network with trained weights; one instance serves all threads of a process.

    Attributes
    ----------
    card : Card
        What the weights have seen and how good they are.
    """

    def __init__(self, weights: WeightSet):
        weights.check_intact()
        self.card: Card = weights.card
        self._lock = Lock()
        with _no_chatter():
            from lsbg_classifier.network import load_network

            try:
                self._network = load_network(weights.path)
            except (OSError, KeyError, TypeError, ValueError) as error:
                reason = str(error).partition("\n")[0]
                raise InputError(
                    f"{weights.path}: not weights of this network ({reason})"
                ) from error

    def predict(self, cutouts: np.ndarray) -> np.ndarray:
        """Return the probability that each cutout shows a low-surface-brightness galaxy.

        Batches have one fixed size, so that a cutout's probability does not depend on its company.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            Row, column, RGB; north up, east left; made as the card says.

        Returns
        -------
        array of float32, shape (N,)
            In [0, 1].

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another.
        """
        cutouts = np.asarray(cutouts)
        if cutouts.dtype != np.uint8:
            raise TypeError(f"cutouts must be uint8 in 0..255, not {cutouts.dtype}")
        if cutouts.shape[1:] != (CUTOUT_SIZE, CUTOUT_SIZE, 3):
            raise ValueError(f"cutouts must have the shape (N, 64, 64, 3), not {cutouts.shape}")
        probabilities = np.empty(len(cutouts), np.float32)
        images = np.zeros((_BATCH, *cutouts.shape[1:]), np.float32)
        for start in range(0, len(cutouts), _BATCH):
            part = cutouts[start : start + _BATCH]
            np.divide(part, np.float32(255), out=images[: len(part)])
            with self._lock:
                scores = self._network.predict_on_batch(images)
            probabilities[start : start + len(part)] = scores[: len(part), 0]
        return probabilities
