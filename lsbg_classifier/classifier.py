"""Load trained weights and turn cutouts into probabilities."""

import os
from contextlib import nullcontext
from threading import Lock

import numpy as np

from lsbg_classifier.backend import start_backend
from lsbg_classifier.calibration import scale
from lsbg_classifier.likeness import load_likeness
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, WeightSet, find_weights

_BATCH = 64


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


class Classifier:
    """The network with trained weights; one instance serves all threads of a process.

    Attributes
    ----------
    card : Card
        What the weights have seen and how good they are.
    """

    def __init__(self, weights: WeightSet):
        self.card: Card = weights.card
        self._lock = Lock()
        start_backend()
        from lsbg_classifier.network import inference_network, load_network

        self._network = load_network(weights)
        self._inference = inference_network(self._network)
        self._likeness = load_likeness(weights.path)

    def predict(self, cutouts: np.ndarray, *, calibrated: bool = False) -> np.ndarray:
        """Return the probability that each cutout shows a low-surface-brightness galaxy.

        Batches have one fixed size, so that a cutout's probability does not depend on its company.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            Row, column, RGB; north up, east left; made as the card says.
        calibrated : bool
            Scale the logits by the card's temperature, fitted on a validation set, so that
            probabilities are closer to frequencies. Their order stays.

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
        cutouts = _checked(cutouts)
        probabilities = np.empty(len(cutouts), np.float32)
        images = np.zeros((_BATCH, *cutouts.shape[1:]), np.uint8)
        for start in range(0, len(cutouts), _BATCH):
            part = cutouts[start : start + _BATCH]
            images[: len(part)] = part
            probabilities[start : start + len(part)] = self._infer(images)[: len(part)]
        return scale(probabilities, self.card.temperature) if calibrated else probabilities

    def _infer(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of one batch, shape (_BATCH,)."""
        first = self._inference.predict_function is None
        with self._lock if first else nullcontext():  # one thread builds what all may use
            return self._inference.predict_on_batch(images)[:, 0]

    def unlike_training(self, cutouts: np.ndarray) -> np.ndarray:
        """Tell which cutouts look unlike those that the weights have seen.

        Another stretch, pixel scale or order of bands is found by the noise of the sky; see
        `lsbg_classifier.likeness`.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.

        Returns
        -------
        array of bool, shape (N,)
            All false for weights that came without this check.
        """
        cutouts = _checked(cutouts)
        if self._likeness is None:
            return np.zeros(len(cutouts), bool)
        return self._likeness.unlike(cutouts)

    def heat_maps(self, cutouts: np.ndarray) -> np.ndarray:
        """Return the Grad-CAM of cutouts; see `lsbg_classifier.training.gradcam.heat_maps`."""
        from lsbg_classifier.training.gradcam import heat_maps

        with self._lock:
            return heat_maps(self._network, np.asarray(cutouts))

    def contribution_maps(self, cutouts: np.ndarray) -> np.ndarray:
        """Return which places speak for an LSBG; see `gradcam.contribution_maps`."""
        from lsbg_classifier.training.gradcam import contribution_maps

        with self._lock:
            return contribution_maps(self._network, np.asarray(cutouts))


def _checked(cutouts: np.ndarray) -> np.ndarray:
    cutouts = np.asarray(cutouts)
    if cutouts.dtype != np.uint8:
        raise TypeError(f"cutouts must be uint8 in 0..255, not {cutouts.dtype}")
    if cutouts.shape[1:] != (CUTOUT_SIZE, CUTOUT_SIZE, 3):
        raise ValueError(f"cutouts must have the shape (N, 64, 64, 3), not {cutouts.shape}")
    return cutouts
