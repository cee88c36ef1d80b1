"""A small residual network (He et al. 2016, CVPR, 770), with a fiftieth of DeepShadows' weights.

Skips around pairs of convolutions, batch normalisation, and global average pooling in place of the
large dense layer, so that an object counts the same wherever it lies.
"""

import keras
from keras import layers

from lsbg_classifier.surveys import CUTOUT_SIZE


def build_network(classes: int = 2) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    classes : int
        Two: LSBG or not. More: that many.

    Returns
    -------
    keras.Model
        Takes float images, shape (N, 64, 64, 3), RGB in [0, 1]; gives the probability of being a
        low-surface-brightness galaxy, shape (N, 1), or that of each class, shape (N, classes).
    """
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    images = keras.Input((CUTOUT_SIZE, CUTOUT_SIZE, 3))
    values = _normalised(layers.Conv2D(16, 3, padding="same", use_bias=False)(images))
    values = layers.MaxPooling2D(2)(layers.ReLU()(values))
    for filters, stride in ((16, 1), (32, 2), (64, 1)):
        values = _block(values, filters, stride)
    values = layers.GlobalAveragePooling2D()(values)
    values = layers.Dropout(0.4)(values)
    values = layers.Dense(units, activation=activation)(values)
    return keras.Model(images, values, name="residual")


def _block(values, filters: int, stride: int):
    """Add two convolutions and the way around them."""
    skip = values
    if stride > 1 or values.shape[-1] != filters:
        skip = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(values)
        skip = _normalised(skip)
    values = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(values)
    values = layers.ReLU()(_normalised(values))
    values = layers.Conv2D(filters, 3, padding="same", use_bias=False)(values)
    return layers.ReLU()(layers.Add()([_normalised(values), skip]))


def _normalised(values):
    return layers.BatchNormalization()(values)
