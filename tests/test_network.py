"""The network is the paper's, layer by layer."""

import keras
import numpy as np
import pytest

from lsbg_classifier.network import build_network, expect_fraction, inference_network
from lsbg_classifier.networks.deepshadows import PARAMETERS

TABLE = [
    ("Conv2D", (64, 64, 16), 448),
    ("BatchNormalization", (64, 64, 16), 64),
    ("MaxPooling2D", (32, 32, 16), 0),
    ("Dropout", (32, 32, 16), 0),
    ("Conv2D", (32, 32, 32), 4640),
    ("BatchNormalization", (32, 32, 32), 128),
    ("MaxPooling2D", (16, 16, 32), 0),
    ("Dropout", (16, 16, 32), 0),
    ("Conv2D", (16, 16, 64), 18496),
    ("BatchNormalization", (16, 16, 64), 256),
    ("MaxPooling2D", (8, 8, 64), 0),
    ("Dropout", (8, 8, 64), 0),
    ("Flatten", (4096,), 0),
    ("Dense", (1024,), 4195328),
    ("Dense", (1,), 1025),
]


def test_layers_are_those_of_table_1():
    layers = build_network().layers
    found = [(type(item).__name__, item.output.shape[1:], item.count_params()) for item in layers]
    assert found == TABLE


def test_number_of_parameters():
    assert build_network().count_params() == PARAMETERS == sum(row[2] for row in TABLE)


def test_regularisation_and_dropout():
    layers = build_network().layers
    penalties = [
        float(item.kernel_regularizer.l2)
        for item in layers
        if getattr(item, "kernel_regularizer", None) is not None
    ]
    assert penalties == pytest.approx([0.13, 0.13, 0.13, 0.12])
    assert [item.rate for item in layers if isinstance(item, keras.layers.Dropout)] == [0.4] * 3


def test_output_is_a_probability():
    images = np.random.default_rng(0).random((4, 64, 64, 3), dtype=np.float32)
    scores = build_network().predict_on_batch(images)
    assert scores.shape == (4, 1)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "trained"), [(0.25, 0.5), (0.5, 0.2), (0.3, 0.3)])
def test_another_fraction_changes_the_odds(fraction, trained):
    network = build_network()
    images = np.random.default_rng(0).random((4, 64, 64, 3), dtype=np.float32)
    before = network.predict_on_batch(images)
    expect_fraction(network, fraction, trained)
    after = network.predict_on_batch(images)
    ratio = fraction / (1 - fraction) / (trained / (1 - trained))
    np.testing.assert_allclose(after / (1 - after), ratio * before / (1 - before), rtol=1e-4)


@pytest.mark.slow
def test_the_fast_arrangement_gives_the_same():
    """Also where the normalisation turns the order of values round: a negative gamma."""
    network = build_network()
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            gamma, beta, mean = (rng.normal(size=len(each)) for each in (gamma, beta, mean))
            layer.set_weights([gamma, beta, mean, rng.uniform(0.5, 2, len(variance))])
    cutouts = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
    expected = network.predict_on_batch(cutouts / np.float32(255))
    found = inference_network(network).predict_on_batch(cutouts)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-4
