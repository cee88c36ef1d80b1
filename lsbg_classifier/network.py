"""The DeepShadows network (Tanoglidis et al. 2021, A&C 35, 100469, table 1), in pure Keras 3."""

from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers, regularizers

from catalogs.errors import InputError
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.registry import WeightSet

PARAMETERS = 4_220_385
"""Number of weights, the moving statistics of batch normalisation counted."""


def build_network(classes: int = 2) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    classes : int
        Two: LSBG or not. More: the network of the paper's appendix A.

    Returns
    -------
    keras.Model
        Takes float images, shape (N, 64, 64, 3), RGB in [0, 1]; gives the probability of being a
        low-surface-brightness galaxy, shape (N, 1), or that of each class, shape (N, classes).
    """
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return keras.Sequential(
        [
            keras.Input((CUTOUT_SIZE, CUTOUT_SIZE, 3)),
            *_block(16),
            *_block(32),
            *_block(64),
            layers.Flatten(),
            layers.Dense(1024, activation="relu", kernel_regularizer=regularizers.L2(0.12)),
            layers.Dense(units, activation=activation),
        ],
        name="deepshadows",
    )


def load_network(weights: WeightSet) -> keras.Model:
    """Build the network with the weights of a set.

    Raises
    ------
    InputError
        If the file is not the one that its card describes, or of another network.
    """
    weights.check_intact()
    path = weights.path
    try:
        _check_parameters(path)
        network = build_network()
        network.load_weights(path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not weights of this network ({reason})") from error
    return network


def inference_network(network: keras.Model) -> keras.Model:
    """Arrange a trained network for speed; its weights are shared, not copied.

    Pooling goes before normalisation, which then has a quarter of the pixels: the largest of
    a x + b is a times the largest x, plus b, or where a < 0 the smallest.

    Returns
    -------
    keras.Model
        Takes uint8 cutouts, shape (N, 64, 64, 3); gives what the network gives for them / 255.
    """
    pixels = keras.Input((CUTOUT_SIZE, CUTOUT_SIZE, 3), dtype="uint8")
    values = layers.Rescaling(1 / 255)(pixels)
    normalise = None
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            normalise = layer
        elif isinstance(layer, layers.MaxPooling2D):
            gains = keras.ops.convert_to_numpy(normalise.gamma)
            pooled = layer(values)
            if (gains < 0).any():
                pooled = keras.ops.where(gains < 0, -layer(-values), pooled)
            values = normalise(pooled)
        elif not isinstance(layer, layers.Dropout):
            values = layer(values)
    return keras.Model(pixels, values)


def freeze_convolutions(network: keras.Model) -> keras.Model:
    """Leave all but the dense layers as they are in training; returns the same network."""
    for layer in network.layers:
        layer.trainable = isinstance(layer, keras.layers.Dense)
    return network


def expect_fraction(network: keras.Model, fraction: float, trained: float = 0.5):
    """Correct a trained network for candidates of which another fraction is LSBGs.

    Saerens, Latinne & Decaestecker 2002 (Neural Computation 14, 21, section 2.2): where the two
    classes look as before, the odds change by the ratio of how many there are, which for a sigmoid
    is an offset of the last layer.

    Parameters
    ----------
    network : keras.Model
        Of two classes; changed in place.
    fraction, trained : float
        Of LSBGs, in (0, 1): among the candidates, and in what it was trained on.
    """
    offset = np.log(fraction / (1 - fraction)) - np.log(trained / (1 - trained))
    bias = network.layers[-1].bias
    bias.assign(keras.ops.convert_to_numpy(bias) + np.float32(offset))


def _check_parameters(path: Path):
    """Refuse what Keras would load: a part of a larger network, and numbers that are not finite."""
    sizes = []

    def look(_, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)
            if not np.isfinite(item[()]).all():
                raise ValueError("some weights are not finite")

    with h5py.File(path) as file:
        file["layers"].visititems(look)
    if sum(sizes) != PARAMETERS:
        raise ValueError(f"{sum(sizes)} parameters instead of {PARAMETERS}")


def _block(filters: int) -> list[layers.Layer]:
    return [
        layers.Conv2D(
            filters,
            3,
            padding="same",
            activation="relu",
            kernel_regularizer=regularizers.L2(0.13),
        ),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Dropout(0.4),
    ]
