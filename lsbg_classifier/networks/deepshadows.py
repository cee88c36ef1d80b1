"""The DeepShadows network (Tanoglidis et al. 2021, A&C 35, 100469, table 1), in pure Keras 3."""

import keras
from keras import layers, regularizers

from lsbg_classifier.surveys import CUTOUT_SIZE

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
