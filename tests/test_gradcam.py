"""Grad-CAM and HiResCAM in closed form are what automatic differentiation gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lsbg_classifier.network import build_network
from lsbg_classifier.training.gradcam import contribution_maps, heat_maps


@pytest.mark.slow
def test_against_automatic_differentiation():
    keras.utils.set_random_seed(4)
    network = build_network()
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([rng.uniform(0.5, 1.5, shape) for shape in shapes])
    kernel, bias = network.layers[-2].get_weights()
    network.layers[-2].set_weights([kernel + 0.003, bias])
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel + 0.02, bias])
    images = rng.integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    convolution = network.layers[8]
    assert convolution.output.shape[1:] == (16, 16, 64)
    front = keras.Model(network.inputs[0], convolution.output)
    with tf.GradientTape() as tape:
        features = front(images.astype(np.float32) / 255)
        tape.watch(features)
        values = features
        for layer in network.layers[9:-1]:
            values = layer(values)
        logit = tf.linalg.matmul(values, network.layers[-1].kernel) + network.layers[-1].bias
    gradient = tape.gradient(logit, features)
    share = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    expected = np.maximum(np.sum(features * share, axis=-1), 0)
    np.testing.assert_allclose(heat_maps(network, images), expected, rtol=1e-3, atol=1e-5)
    assert expected.any()
    expected = np.maximum(np.sum(features * gradient, axis=-1), 0)
    np.testing.assert_allclose(contribution_maps(network, images), expected, rtol=1e-3, atol=1e-5)
    assert expected.any(axis=(1, 2)).all()
