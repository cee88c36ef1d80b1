"""Unlabelled cutouts in training: the distances are right, and training makes them smaller."""

import keras
import numpy as np
import pytest

from benchmarks.real_weights import ALIGNMENTS
from lsbg_classifier.training.alignment import (
    DISTANCES,
    Critic,
    Unlabelled,
    covariance_distance,
    inconsistency,
    mean_discrepancy,
)
from lsbg_classifier.training.mixture import Course, Source, train_on_mixture
from lsbg_classifier.training.variation import Variation


def two_sets(shift, count=30):
    rng = np.random.default_rng(3)
    return rng.normal(size=(count, 5)), rng.normal(shift, 1 + shift, size=(count + 10, 5))


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_discrepancy_is_that_of_its_definition(shift):
    first, second = two_sets(shift)
    both = np.concatenate([first, second])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=-1)
    widths = np.array([0.25, 0.5, 1, 2, 4]) * squares.mean()
    kernel = np.mean([np.exp(-squares / width) for width in widths], axis=0)
    expected = kernel[:30, :30].mean() + kernel[30:, 30:].mean() - 2 * kernel[:30, 30:].mean()
    found = float(mean_discrepancy(*map(keras.ops.convert_to_tensor, (first, second))))
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_distance_of_covariances_is_that_of_numpy(shift):
    first, second = two_sets(shift)
    one, other = np.cov(first.T), np.cov(second.T)
    expected = 2 * ((one - other) ** 2).sum() / ((one**2).sum() + (other**2).sum())
    found = float(covariance_distance(*map(keras.ops.convert_to_tensor, (first, second))))
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_benchmark_offers_all_distances():
    assert set(ALIGNMENTS) == set(DISTANCES)


def test_inconsistency_is_none_of_the_same_and_one_of_strangers():
    first, _ = two_sets(0.0)
    cutouts = np.random.default_rng(4).normal(size=(2000, 5))
    strangers = np.random.default_rng(5).normal(size=(2000, 5))
    for other, expected in ((cutouts, 0.0), (strangers, 1.0), (cutouts + 1, 5 / (10 + 5))):
        pair = keras.ops.convert_to_tensor(np.concatenate([cutouts, other]))
        assert float(inconsistency(first, pair)) == pytest.approx(expected, abs=0.05)


def test_two_of_each_cutout_are_drawn_for_consistency():
    images = np.random.default_rng(6).integers(0, 255, (50, 64, 64, 3)).astype(np.uint8)
    still = Variation(0.0, flux=0.0)
    drawn = Unlabelled(images, still, "consistency", count=8).draw(np.random.default_rng(7))
    np.testing.assert_allclose(drawn[:4], drawn[4:], atol=1 / 255)
    assert abs(drawn[0] - drawn[1]).max() > 0.5


def test_the_critic_learns_what_its_features_are_kept_from():
    """Its loss is the cross-entropy; a step of its weights lowers it, one of features raises it."""
    tensorflow = pytest.importorskip("tensorflow")
    first, second = (tensorflow.Variable(x, dtype="float32") for x in two_sets(1.0))
    critic = Critic()
    critic.build((None, 5))
    with tensorflow.GradientTape() as tape:
        loss = critic(first, second)
    says = [critic.last(critic.hidden(features)).numpy() for features in (first, second)]
    expected = np.log1p(np.exp(says[0])).mean() / 2 + np.log1p(np.exp(-says[1])).mean() / 2
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    weights = critic.trainable_variables
    gradients = tape.gradient(loss, [first, *weights])
    first.assign_sub(0.1 * gradients[0])
    assert float(critic(first, second)) > float(loss)
    first.assign_add(0.1 * gradients[0])
    for weight, gradient in zip(weights, gradients[1:], strict=True):
        weight.assign(weight - 0.01 * gradient)
    assert float(critic(first, second)) < float(loss)


@pytest.mark.slow
@pytest.mark.parametrize(("distance", "strongest"), [("adversarial", 2.0), ("consistency", 0.5)])
def test_the_network_is_trained_for_labels_and_against_the_distance(distance, strongest):
    (drawn, labels), (real, _) = blobs(20, 40), blobs(60, 40)
    still, turned = Variation(0.0, flux=0.0), Variation(1.0)
    pairs = np.concatenate([turned.apply(real, np.random.default_rng(n)) for n in (1, 2)])
    apart = []
    for weight in (0.0, strongest):
        unlabelled = Unlabelled(real, turned, distance, weight, 16)
        sources = [Source(drawn, labels, 16, still)]
        net = train_on_mixture(network(), sources, Course(80, 0.01), 1, unlabelled=unlabelled)
        found = net.predict(drawn / np.float32(255), verbose=0)[:, 0]
        assert found[labels == 1].min() > found[labels == 0].max()
        features = keras.Model(net.inputs[0], net.layers[-2].output)
        of_drawn, of_pairs = features(drawn / np.float32(255)), features(pairs)
        measure = inconsistency if distance == "consistency" else mean_discrepancy
        apart.append(float(measure(of_drawn, of_pairs)))
    assert apart[1] < 0.9 * apart[0]


def network():
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((64, 64, 3)),
        keras.layers.AveragePooling2D(8),
        keras.layers.Flatten(),
        keras.layers.Dense(6, activation="tanh"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    return keras.Sequential(layers)


def blobs(level, count):
    """Half of them bright in the middle, on a sky of that level."""
    images = np.random.default_rng(level).integers(level, level + 20, (count, 64, 64, 3))
    images[: count // 2, 24:40, 24:40] += 80
    return images.astype(np.uint8), np.repeat([1, 0], count // 2)


@pytest.mark.long
@pytest.mark.slow
def test_training_brings_unlabelled_cutouts_nearer_and_still_learns():
    (drawn, labels), (real, _) = blobs(20, 40), blobs(60, 40)
    still = Variation(0.0, flux=0.0)
    apart = []
    for weight in (0.0, 1.0):
        unlabelled = Unlabelled(real, still, "mmd", weight, 16)
        sources = [Source(drawn, labels, 16, still)]
        net = train_on_mixture(network(), sources, Course(40, 0.01), 1, unlabelled=unlabelled)
        features = keras.Model(net.inputs[0], net.layers[-2].output)
        pairs = (keras.ops.convert_to_tensor(features(x / np.float32(255))) for x in (drawn, real))
        apart.append(float(mean_discrepancy(*pairs)))
        found = net.predict(drawn / np.float32(255), verbose=0)[:, 0]
        assert found[labels == 1].min() > found[labels == 0].max() + 0.02
    assert apart[1] < 0.5 * apart[0]


@pytest.mark.slow
def test_the_unlabelled_are_all_that_may_differ_with_weight_nothing():
    (drawn, labels), (real, _) = blobs(20, 40), blobs(60, 40)
    sources, still = [Source(drawn, labels, 16, Variation(0.0, flux=0.0))], Variation(0.0, flux=0.0)
    unlabelled = Unlabelled(real, still, "mmd", 0.0, 16)
    first = train_on_mixture(network(), sources, Course(1, 0.02), 1, unlabelled=unlabelled)
    alone = train_on_mixture(network(), sources, Course(1, 0.02), 1)
    for one, other in zip(first.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
