"""Training that makes drawn and real cutouts look alike to the network, with unlabelled real ones.

The last features of labelled and of unlabelled cutouts are compared, and what they differ by is
added to the loss: the maximum mean discrepancy (Gretton et al. 2012, JMLR 13, 723; on galaxies
Ciprijanovic et al. 2021, MNRAS 506, 677), or the distance of covariances (CORAL; Sun & Saenko 2016,
arXiv:1607.01719).
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


DISTANCES = {"mmd": mean_discrepancy, "coral": covariance_distance}
"""By name: how far two sets of features are apart."""


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
        Cutouts in each batch.
    """

    images: np.ndarray
    variation: Variation
    distance: str = "mmd"
    weight: float = 1.0
    count: int = 32

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return varied cutouts, float32 in [0, 1]."""
        return self.variation.apply(self.images[rng.choice(len(self.images), self.count)], rng)


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
        distance = DISTANCES[self.unlabelled.distance](features[:-count], features[-count:])
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
    return model
