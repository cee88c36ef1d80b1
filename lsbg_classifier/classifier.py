"""Load trained weights and turn cutouts into probabilities."""

import os
from functools import cached_property
from threading import Lock

import numpy as np

from lsbg_classifier.backend import start_backend
from lsbg_classifier.calibration import chosen_prior, for_prior, scale
from lsbg_classifier.engines.batches import in_batches
from lsbg_classifier.engines.choice import Engine, choose_engine
from lsbg_classifier.networks.dropout import PASSES, random_masks
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, WeightSet, find_weights

_MAPS_AT_ONCE = 256
"""Cutouts whose maps are drawn together: the features of each take about a megabyte."""


def load_classifier(
    name: str | os.PathLike = DEFAULT_WEIGHTS, engine: str = "auto", prior: float | None = None
) -> "Classifier":
    """Load a weight set.

    Parameters
    ----------
    name : str or path
        A registered name (``lsbg weights`` lists them) or the path of a ``.weights.h5`` file with
        its card (``.json``) beside it.
    engine : str
        What runs the network: ``onnx`` (ONNX Runtime, on the CPU), ``keras``, or ``auto``: Keras
        where it has a GPU or where ONNX Runtime cannot run the network, else ONNX Runtime.
        Probabilities of two engines agree to 1e-5; on one they are equal to the bit.
    prior : float, optional
        Fraction of LSBGs among the candidates that the probabilities are for, between 0 and 1,
        ends excluded; by default that on the card. The order of probabilities stays.

    Returns
    -------
    Classifier

    Raises
    ------
    InputError
        If the name or the engine is unknown, the file is not what its card describes, the engine
        cannot run its network, or the prior cannot be one.

    Examples
    --------
    >>> from lsbg_classifier import load_classifier
    >>> classifier = load_classifier()
    >>> classifier.card.survey, classifier.card.bands
    ('des', ('g', 'r', 'z'))
    """
    return Classifier(find_weights(name), engine, prior)


class Classifier:
    """The network with trained weights; one instance serves all threads of a process.

    Parameters
    ----------
    weights : WeightSet
        As `lsbg_classifier.weights.registry.find_weights` returns it.
    engine, prior
        As for `load_classifier`.

    Attributes
    ----------
    card : Card
        What the weights have seen and how good they are.
    engine : Engine
        What runs the network; its `name` and `version` are for provenance.
    engine_reason : str
        Why it is this engine.
    prior : float
        Fraction of LSBGs among the candidates that the probabilities are for.

    Raises
    ------
    InputError
        If the file is not what its card describes, or the engine cannot run its network.

    Examples
    --------
    >>> import numpy as np
    >>> from lsbg_classifier import load_classifier
    >>> classifier = load_classifier("des-simulated")
    >>> uniform = np.full((1, 64, 64, 3), 32, np.uint8)
    >>> bool(classifier.predict(uniform)[0] < 0.2)
    True
    """

    def __init__(self, weights: WeightSet, engine: str = "auto", prior: float | None = None):
        self.card: Card = weights.card
        self.prior: float = chosen_prior(weights.card, prior)
        from lsbg_classifier.likeness import load_likeness  # numba takes a while to import

        self._weights = weights
        self._lock = Lock()
        choice = choose_engine(weights, engine)
        self.engine: Engine = choice.engine
        self.engine_reason: str = choice.reason
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

        Examples
        --------
        >>> from lsbg_classifier import load_classifier, open_catalog, open_source
        >>> catalog = open_catalog("demo/survey/candidates.fits")
        >>> source = open_source("tiles:demo/survey/tiles")
        >>> cutouts, flags = source.fetch(catalog.read_positions(0, 4))
        >>> probabilities = load_classifier().predict(cutouts)
        >>> probabilities.shape, probabilities.dtype
        ((4,), dtype('float32'))
        >>> bool(((probabilities >= 0) & (probabilities <= 1)).all())
        True
        """
        cutouts = _checked(cutouts)

        def infer(places, images):
            return self.engine.infer(images)[: len(places)]

        answers = in_batches(self.engine, infer, cutouts)
        probabilities = np.concatenate([np.empty(0, np.float32), *answers])
        return self._corrected(
            scale(probabilities, self.card.temperature) if calibrated else probabilities
        )

    def spread(self, cutouts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return how much the probability of each cutout spreads under Monte Carlo dropout.

        The network answers 32 times; each time other values are dropped at random, at the rates of
        its training (Gal & Ghahramani 2016, ICML 48, 1050). The page "The spread of a probability"
        of the documentation says what that is worth. Which values are dropped depends on the row
        and the weights alone, so that a candidate has the same spread in every chunk, process and
        run.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.
        rows : array of int, shape (N,)
            Number of each candidate's row in its catalog.

        Returns
        -------
        array of float32, shape (N,)
            Standard deviation of the probability, in [0, 0.51], not calibrated.

        Raises
        ------
        TypeError
            If the cutouts are not uint8, or the rows not whole numbers.
        ValueError
            If a shape is another.
        InputError
            If the network drops nothing.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier, open_catalog, open_source
        >>> catalog = open_catalog("demo/survey/candidates.fits")
        >>> source = open_source("tiles:demo/survey/tiles")
        >>> cutouts, flags = source.fetch(catalog.read_positions(0, 4))
        >>> classifier = load_classifier()
        >>> spread = classifier.spread(cutouts, np.arange(4))
        >>> spread.shape, bool((spread <= 0.51).all())
        ((4,), True)

        The same rows have the same spread again, alone too:

        >>> bool(classifier.spread(cutouts[2:3], np.array([2]))[0] == spread[2])
        True
        """
        cutouts, row_numbers = _checked(cutouts), _checked_rows(rows, len(cutouts))
        part = self.engine.random_part
        spread = np.empty(len(cutouts), np.float32)

        def measure(places, images):
            features = self.engine.features(images)
            for number, place in enumerate(places):
                one = [
                    np.repeat(values[number : number + 1], PASSES, axis=0) for values in features
                ]
                masks = random_masks(part, int(row_numbers[place]), self._seed)
                answers = self._corrected(self.engine.infer_with_masks(one, masks))
                spread[place] = answers.std(dtype=np.float64, ddof=1)

        in_batches(self.engine, measure, cutouts)
        return spread

    def features(self, cutouts: np.ndarray) -> np.ndarray:
        """Return how the network sees each cutout: the values that its last layer weighs.

        Cutouts that look alike to the network have features close to each other.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.

        Returns
        -------
        array of float32, shape (N, values)
            1024 values with the network DeepShadows.

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier
        >>> uniform = np.full((2, 64, 64, 3), 32, np.uint8)
        >>> load_classifier("des-simulated").features(uniform).shape
        (2, 1024)
        """
        cutouts = _checked(cutouts)

        def see(places, images):
            return self.engine.last_hidden(images)[: len(places)]

        parts = in_batches(self.engine, see, cutouts)
        if not parts:
            empty = np.zeros((self.engine.batch, *cutouts.shape[1:]), np.uint8)
            return self.engine.last_hidden(empty)[:0]
        return np.concatenate(parts)

    def oddness(self, cutouts: np.ndarray) -> np.ndarray:
        """Return how unlike the cutouts are to those that the weights have seen.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.

        Returns
        -------
        array of float32, shape (N,)
            Above 0 where `unlike_training` is true; NaN for weights that came without this check.

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier
        >>> uniform = np.full((2, 64, 64, 3), 32, np.uint8)  # a sky without noise
        >>> load_classifier("des-simulated").oddness(uniform).shape
        (2,)
        """
        cutouts = _checked(cutouts)
        if self._likeness is None:
            return np.full(len(cutouts), np.nan, np.float32)
        return (self._likeness.score(cutouts) - self._likeness.threshold).astype(np.float32)

    def _corrected(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities for the prior that is asked for; those of the card as they are."""
        if self.prior == self.card.prior:
            return probabilities
        return for_prior(probabilities, self.card.prior, self.prior)

    @property
    def _seed(self) -> int:
        """The weights' own part in what is dropped."""
        return int(self.card.sha256[:15], 16)

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

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier
        >>> uniform = np.full((2, 64, 64, 3), 32, np.uint8)  # a sky without noise
        >>> classifier = load_classifier("des-simulated")
        >>> unlike = classifier.unlike_training(uniform)
        >>> unlike.tolist() == (classifier.oddness(uniform) > 0).tolist()
        True
        """
        cutouts = _checked(cutouts)
        if self._likeness is None:
            return np.zeros(len(cutouts), bool)
        return self._likeness.unlike(cutouts)

    def heat_maps(self, cutouts: np.ndarray) -> np.ndarray:
        """Return where the network looks: the Grad-CAM of cutouts.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.

        Returns
        -------
        array of float32, shape (N, 16, 16)
            What a place adds to the logit of the probability, at least 0; row 0 at the top.
            Selvaraju et al. 2017 (arXiv:1610.02391), as in Tanoglidis et al. 2021.

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another, or the network has no convolution.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier
        >>> uniform = np.full((2, 64, 64, 3), 32, np.uint8)
        >>> load_classifier("des-simulated").heat_maps(uniform).shape
        (2, 16, 16)
        """
        return self._maps("heat_maps", cutouts)

    def contribution_maps(self, cutouts: np.ndarray) -> np.ndarray:
        """Return which places speak for an LSBG: HiResCAM, which does not average gradients.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            As for `predict`.

        Returns
        -------
        array of float32, shape (N, 16, 16)
            What a place adds to the logit of the probability, at least 0; row 0 at the top.
            Draelos & Carin 2020 (arXiv:2011.08891).

        Raises
        ------
        TypeError
            If the cutouts are not uint8.
        ValueError
            If their shape is another, or the network has no convolution.

        Examples
        --------
        >>> import numpy as np
        >>> from lsbg_classifier import load_classifier
        >>> uniform = np.full((2, 64, 64, 3), 32, np.uint8)
        >>> load_classifier("des-simulated").contribution_maps(uniform).shape
        (2, 16, 16)
        """
        return self._maps("contribution_maps", cutouts)

    def _maps(self, kind: str, cutouts: np.ndarray) -> np.ndarray:
        """Return the maps that a function of `gradcam` draws, some cutouts at a time."""
        cutouts = _checked(cutouts)
        with self._lock:
            network = self._network
            from lsbg_classifier.training import gradcam

            draw = getattr(gradcam, kind)
            starts = range(0, len(cutouts), _MAPS_AT_ONCE)
            maps = [draw(network, cutouts[start : start + _MAPS_AT_ONCE]) for start in starts]
        return np.concatenate([np.empty((0, gradcam.SIDE, gradcam.SIDE), np.float32), *maps])

    @cached_property
    def _network(self):
        """The network in Keras, which is loaded when it is first asked for."""
        start_backend()
        from lsbg_classifier.engines.with_keras import KerasEngine

        if isinstance(self.engine, KerasEngine):
            return self.engine.network
        from lsbg_classifier.network import load_network

        return load_network(self._weights)


def _checked_rows(rows: np.ndarray, count: int) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"rows must be whole numbers, not {rows.dtype}")
    if rows.shape != (count,):
        raise ValueError(f"rows must have the shape ({count},), as there are cutouts")
    return rows


def _checked(cutouts: np.ndarray) -> np.ndarray:
    cutouts = np.asarray(cutouts)
    if cutouts.dtype != np.uint8:
        raise TypeError(f"cutouts must be uint8 in 0..255, not {cutouts.dtype}")
    if cutouts.shape[1:] != (CUTOUT_SIZE, CUTOUT_SIZE, 3):
        raise ValueError(f"cutouts must have the shape (N, 64, 64, 3), not {cutouts.shape}")
    return cutouts
