"""Training that makes drawn and real cutouts look alike to the network, with unlabelled real ones.

The last features of labelled and of unlabelled cutouts are compared, and what they differ by is
added to the loss: the maximum mean discrepancy (Gretton et al. 2012, JMLR 13, 723; on galaxies
Ciprijanovic et al. 2021, MNRAS 506, 677), the distance of covariances (CORAL; Sun & Saenko 2016,
arXiv:1607.01719), or what a critic that is trained beside the network can tell them apart by
(Ganin et al. 2016, JMLR 17, 59). With consistency it is unlabelled cutouts alone that are compared,
each with itself after another variation (Laine & Aila 2017, arXiv:1610.02242).
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from lsbg_classifier.training.variation import Variation

_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernels, in units of the mean squared distance between two cutouts."""


def mean_discrepancy(first, second):
    """Return the maximum mean discrepancy of two sets of features, squared.

    Parameters
    ----------
    first, second : tensors of float, shapes (N, D) and (M, D)

    Returns
    -------
    tensor of float
        About 0 where both are drawn from one distribution, at most 2.
    """
    both, count = ops.concatenate([first, second]), first.shape[0]
    squares = ops.sum(both * both, axis=1)
    distances = squares[:, None] + squares[None] - 2 * ops.matmul(both, ops.transpose(both))
    distances = ops.maximum(distances, 0.0) / ops.stop_gradient(ops.mean(distances) + 1e-6)
    kernel = sum(ops.exp(-distances / width) for width in _WIDTHS) / len(_WIDTHS)
    across = ops.mean(kernel[:count, count:])
    return ops.mean(kernel[:count, :count]) + ops.mean(kernel[count:, count:]) - 2 * across


def covariance_distance(first, second):
    """Return the squared distance of the covariances of two sets of features (CORAL).

    Parameters
    ----------
    first, second : tensors of float, shapes (N, D) and (M, D)

    Returns
    -------
    tensor of float
        In units of the squared size of the covariance of all; 0 where they are the same.
    """
    one, other = _covariance(first), _covariance(second)
    size = ops.sum(ops.square(one)) + ops.sum(ops.square(other))
    return 2 * ops.sum(ops.square(one - other)) / (ops.stop_gradient(size) + 1e-6)


def _covariance(features):
    apart = features - ops.mean(features, axis=0, keepdims=True)
    return ops.matmul(ops.transpose(apart), apart) / (features.shape[0] - 1)


def inconsistency(first, second):
    """Return how far the features of two variations of one cutout are apart.

    Parameters
    ----------
    first : tensor of float, shape (N, D)
        Features of other cutouts; not used.
    second : tensor of float, shape (2 M, D)
        Features of M cutouts, and in the same order those of another variation of each.

    Returns
    -------
    tensor of float
        Mean squared distance, in units of that of two cutouts that have nothing in common.
    """
    half = second.shape[0] // 2
    one, other = second[:half], second[half:]
    apart = ops.mean(ops.sum(ops.square(one - ops.roll(other, 1, axis=0)), axis=1))
    return ops.mean(ops.sum(ops.square(one - other), axis=1)) / (ops.stop_gradient(apart) + 1e-6)


class Critic(keras.layers.Layer):
    """Learns to tell two sets of features apart, while whatever makes them learns the contrary."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(64, activation="relu")
        self.last = keras.layers.Dense(1)

    def build(self, shape, _=None):
        """Make the weights.

        Parameters
        ----------
        shape : tuple
            Of a set of features, (None, D).
        """
        self.hidden.build(shape)
        self.last.build((None, 64))
        self.built = True

    def call(self, first, second):
        """Return the loss of the critic; its gradient on the features has the opposite sign.

        Parameters
        ----------
        first, second : tensors of float, shapes (N, D) and (M, D)

        Returns
        -------
        tensor of float
            Cross-entropy, log 2 where it cannot tell them apart; both sets count the same.
        """
        one, other = (self.last(self.hidden(_reversed(features))) for features in (first, second))
        return (ops.mean(ops.softplus(one)) + ops.mean(ops.softplus(-other))) / 2


def _reversed(features):
    """Return the same values, whose gradient has the opposite sign."""
    return ops.stop_gradient(2 * features) - features


DISTANCES = {
    "mmd": lambda: mean_discrepancy,
    "coral": lambda: covariance_distance,
    "adversarial": Critic,
    "consistency": lambda: inconsistency,
}
"""By name: makes what says how far the features of labelled and unlabelled cutouts are apart."""


@dataclass(frozen=True)
class Unlabelled:
    """Real cutouts without labels, and how much it counts that their features differ.

    Attributes
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
    variation : Variation
    distance : str
        A name of `DISTANCES`.
    weight : float
        Of the distance in the loss.
    count : int
        Cutouts in each batch; even, for consistency.
    """

    images: np.ndarray
    variation: Variation
    distance: str = "mmd"
    weight: float = 1.0
    count: int = 32

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return varied cutouts, float32 in [0, 1]; two of each, for consistency."""
        if self.distance == "consistency":
            rows = np.tile(rng.choice(len(self.images), self.count // 2), 2)
        else:
            rows = rng.choice(len(self.images), self.count)
        return self.variation.apply(self.images[rows], rng)


class Aligned(keras.Model):
    """A network with its last features; batches end with `Unlabelled.count` unlabelled cutouts."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss of the labelled cutouts and the distance of the unlabelled ones.

        Parameters
        ----------
        x : tensor
            The batch, as Keras hands it over; not used.
        y : tensor, shape (N, 1)
            Labels; those of the unlabelled count for nothing.
        y_pred : pair of tensors
            Probabilities and features.
        sample_weight : tensor, optional
            Not used.
        training : bool
            Not used.

        Returns
        -------
        tensor of float
        """
        probability, features = y_pred
        count = self.unlabelled.count
        loss = ops.mean(self.of_labels(y[:-count], probability[:-count]))
        distance = self.distance(features[:-count], features[-count:])
        return loss + self.unlabelled.weight * distance + sum(self.losses)


def aligned(network: keras.Model, unlabelled: Unlabelled, loss) -> Aligned:
    """Return a model of the same layers whose loss counts the distance of features too.

    Parameters
    ----------
    network : keras.Model
        Of two classes.
    unlabelled : Unlabelled
    loss : keras.losses.Loss
        Of the labelled cutouts.

    Returns
    -------
    Aligned
        To be compiled without a loss.
    """
    model = Aligned(network.inputs[0], [network.outputs[0], network.layers[-2].output])
    model.unlabelled, model.of_labels = unlabelled, loss
    model.distance = DISTANCES[unlabelled.distance]()
    if isinstance(model.distance, Critic):
        model.distance.build(network.layers[-2].output.shape)
    return model
