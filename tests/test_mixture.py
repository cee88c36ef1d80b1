"""Training on a mixture of sources: shares, variations, and the mean of the weights."""

import keras
import numpy as np
import pytest

from lsbg_classifier.cutouts.colours import scaled_fluxes_of_colours
from lsbg_classifier.training.mixture import Course, Source, Teacher, Variation, train_on_mixture


def disc(radius, value, count):
    """Cutouts of a soft disc in the middle."""
    y, x = np.mgrid[:64, :64] - 31.5
    image = 32 + (value - 32) * np.exp(-((np.hypot(x, y) / radius) ** 2))
    return np.repeat(np.repeat(image[None, ..., None], 3, -1), count, 0).astype(np.uint8)


def test_no_variation_is_none():
    images = disc(6, 90, 5)
    varied = Variation(0.0, flux=0.0).apply(images, np.random.default_rng(1))
    np.testing.assert_allclose(varied, images / 255, atol=1.5 / 255)


def test_fluxes_change_by_their_factor_and_saturated_pixels_stay():
    images = disc(6, 90, 400)
    images[:, :4, :4] = 255
    varied = Variation(0.0, flux=0.3).apply(images, np.random.default_rng(2))
    assert (varied[:, :4, :4] == 1).all()
    before = scaled_fluxes_of_colours(images[:1])[0, 31, 31, 0]
    after = scaled_fluxes_of_colours(varied[:, 31, 31] * 255)[:, 0]
    logs = np.log(after / before)
    assert (abs(logs) < 0.02).mean() == pytest.approx(0.5 + 0.5 * 0.053, abs=0.08)
    assert logs[abs(logs) > 0.02].std() == pytest.approx(0.3, abs=0.05)


def test_warped_cutouts_keep_their_middle():
    varied = Variation(1.0, flux=0.0).apply(disc(3, 200, 60), np.random.default_rng(3))
    weights = varied.mean(-1)
    weights -= np.median(weights, axis=(1, 2), keepdims=True)
    weights[weights < 3 / 255] = 0
    y, x = np.mgrid[:64, :64] - 31.5
    total = weights.sum(axis=(1, 2))
    shifts = np.stack([(weights * axis).sum(axis=(1, 2)) / total for axis in (x, y)])
    assert abs(shifts.mean()) < 0.4 and 0.6 < shifts.std() < 1.4
    sizes = np.sqrt(total / np.median(total))
    assert 0.8 < sizes.min() < 0.95 and 1.05 < sizes.max() < 1.2


def test_half_of_what_is_drawn_are_lsbgs():
    images, labels = np.concatenate([disc(6, 90, 3), disc(1, 250, 30)]), np.repeat([1, 0], [3, 30])
    source = Source(images, labels, 8, Variation(0.0))
    drawn = [source.draw(np.random.default_rng(seed))[1] for seed in range(5)]
    assert {len(one) for one in drawn} == {8} and {int(one.sum()) for one in drawn} == {4}


@pytest.mark.slow
def test_cutouts_are_drawn_as_often_as_their_weights_say():
    images, labels = disc(6, 90, 8), np.repeat([1, 0], 4)
    images[:, 0, 0] = 60 + 10 * np.arange(8)[:, None]
    source = Source(images, labels, 8, Variation(0.0, flux=0.0), np.array([3, 1, 0, 0] * 2))
    rng = np.random.default_rng(1)
    drawn = np.concatenate([source.draw(rng)[0][:, 0, 0, 0] for _ in range(200)]) * 255
    counts = np.bincount(((drawn - 60) / 10).round().astype(int), minlength=8)
    np.testing.assert_allclose(counts / 200, [3, 1, 0, 0] * 2, atol=0.25)


def network():
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(4, 5, strides=4, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    return keras.Sequential(layers)


@pytest.mark.slow
def test_it_learns_and_keeps_the_normalisation_and_the_seed():
    images, labels = np.concatenate([disc(9, 110, 8), disc(1, 250, 8)]), np.repeat([1, 0], 8)
    sources = [Source(images, labels, 8, Variation(0.5))]
    trained = [train_on_mixture(network(), sources, Course(80, 0.005), 4) for _ in range(2)]
    for one, other in zip(*(net.get_weights() for net in trained), strict=True):
        np.testing.assert_array_equal(one, other)
    normalisation = trained[0].layers[1]
    assert (np.array(normalisation.moving_mean) == 0).all()
    found = trained[0].predict(images / np.float32(255), verbose=0)[:, 0]
    assert found[labels == 1].min() > found[labels == 0].max() + 0.2


@pytest.mark.slow
def test_a_teacher_replaces_the_labels():
    images, labels = np.concatenate([disc(9, 110, 8), disc(1, 250, 8)]), np.repeat([1, 0], 8)
    sources = [Source(images, labels, 8, Variation(0.5))]

    def teacher(batch):
        return (batch.max(axis=(1, 2, 3)) > 0.6).astype(np.float32)  # the opposite of the labels

    taught = train_on_mixture(network(), sources, Course(80, 0.005), 4, teacher=Teacher(teacher))
    found = taught.predict(images / np.float32(255), verbose=0)[:, 0]
    assert found[labels == 0].min() > found[labels == 1].max() + 0.05


def test_a_teacher_counts_as_much_as_its_share():
    teacher = Teacher(lambda images: images.mean(axis=(1, 2, 3)), share=0.3)
    images = np.full((4, 64, 64, 3), 0.5, np.float32)
    learned = teacher.instead_of(np.array([[0], [1], [1], [0]]), images)
    np.testing.assert_allclose(learned[:, 0], [0.15, 0.85, 0.85, 0.15])
