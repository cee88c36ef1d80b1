"""Training by the published recipe, the same after a stop."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, regularizers

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts.coverage import judge
from lsbg_classifier.network import build_network
from lsbg_classifier.training.batches import Augmentation, Batches, TrainingSample
from lsbg_classifier.training.recipes import (
    DES,
    HSC,
    REHEARSED,
    ROBUST,
    Checkpointing,
    Recipe,
    recipe_named,
    train,
)


@pytest.fixture(scope="module")
def cutouts():
    """Discs of two brightnesses in noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 150).astype(np.int8)
    y, x = np.mgrid[:64, :64] - 31.5
    disc = (np.hypot(x, y) < 12)[..., None]
    images = 32 + rng.normal(0, 6, (150, 64, 64, 3)) + 60 * labels[:, None, None, None] * disc
    return np.clip(images, 0, 255).astype(np.uint8), labels


def bare_network():
    """Table 1 of the paper, written out."""
    return keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(
                16, 3, padding="same", activation="relu", kernel_regularizer=regularizers.L2(0.13)
            ),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.4),
            layers.Conv2D(
                32, 3, padding="same", activation="relu", kernel_regularizer=regularizers.L2(0.13)
            ),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.4),
            layers.Conv2D(
                64, 3, padding="same", activation="relu", kernel_regularizer=regularizers.L2(0.13)
            ),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.4),
            layers.Flatten(),
            layers.Dense(1024, activation="relu", kernel_regularizer=regularizers.L2(0.12)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def test_the_recipes_are_the_published_ones():
    assert DES == Recipe("adadelta", 0.1, epochs=100, batch=64)
    assert HSC == Recipe("adadelta", 0.005, epochs=30, batch=32)


@pytest.mark.parametrize(
    ("name", "fine_tuning", "recipe"),
    [
        ("published", False, DES),
        ("published", True, HSC),
        ("robust", False, ROBUST),
        ("robust", True, ROBUST),
        ("rehearsed", True, REHEARSED),
    ],
)
def test_recipes_have_names(name, fine_tuning, recipe):
    assert recipe_named(name, fine_tuning) is recipe


@pytest.mark.parametrize("name", ["", "des", "Published"])
def test_an_unknown_recipe(name):
    with pytest.raises(
        InputError, match=f"no recipe '{name}': choose published, robust, rehearsed"
    ):
        recipe_named(name, False)


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (3, 3)])
def test_the_loss_fits_the_number_of_classes(classes, units):
    """Against the cross-entropy written out; label smoothing is for two classes alone."""
    network = build_network(classes)
    ROBUST.compile(network, 1)
    given = np.linspace(0.2, 0.6, units, dtype=np.float32)[None]
    label = 1.0
    smooth = label * (1 - 0.02) + 0.01
    two = -smooth * np.log(given[0, 0]) - (1 - smooth) * np.log(1 - given[0, 0])
    expected = two if units == 1 else -np.log(given[0, 1] / given.sum())
    found = float(network.loss(np.array([[label]], np.float32), given))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.long
@pytest.mark.slow
def test_losses_are_those_of_a_bare_keras_model(cutouts):
    images, labels = cutouts
    keras.utils.set_random_seed(5)
    ours = train(build_network(), TrainingSample(*cutouts), replace(DES, epochs=3), seed=5)
    keras.utils.set_random_seed(5)
    network = bare_network()
    network.compile(keras.optimizers.Adadelta(0.1), "binary_crossentropy", metrics=["accuracy"])
    losses = []
    for epoch in range(3):
        order = np.random.default_rng([5, epoch]).permutation(len(labels))
        fitted = network.fit(
            images[order].astype(np.float32) / 255,
            labels[order].astype(np.float32),
            batch_size=64,
            shuffle=False,
            verbose=0,
        )
        losses += fitted.history["loss"]
    np.testing.assert_allclose([epoch["loss"] for epoch in ours.epochs], losses, rtol=1e-4)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("recipe", [DES, ROBUST], ids=["des", "robust"])
def test_a_training_goes_on_where_it_stopped(cutouts, tmp_path, recipe):
    images, labels = cutouts
    recipe = replace(recipe, epochs=4)

    def run(folder, resume=False, stop_after=None):
        def progress(done, total):
            if stop_after is not None and done > stop_after * total:
                raise KeyboardInterrupt

        folder.mkdir(exist_ok=True)
        keras.utils.set_random_seed(2)
        network = build_network()
        history = train(
            network,
            TrainingSample(images, labels),
            recipe,
            seed=2,
            validation=(images[:40], labels[:40]),
            checkpointing=Checkpointing(folder, resume=resume),
            progress=progress,
        )
        return network.predict(images / np.float32(255), verbose=0), history.epochs

    whole, epochs = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop_after=0.6)
    resumed, again = run(tmp_path / "parts", resume=True)
    np.testing.assert_allclose(resumed, whole, atol=1e-4)
    for one, other in zip(epochs, again, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.slow
def test_a_checkpoint_of_another_training_is_refused(cutouts, tmp_path):
    images, labels = cutouts
    recipe = replace(HSC, epochs=1)
    sample = TrainingSample(images[:32], labels[:32])
    train(build_network(), sample, recipe, seed=1, checkpointing=Checkpointing(tmp_path))
    with pytest.raises(InputError, match="another recipe, seed, sample or start"):
        again = Checkpointing(tmp_path, resume=True)
        train(build_network(), sample, recipe, seed=2, checkpointing=again)


def test_every_epoch_shows_each_cutout_once(cutouts):
    images, labels = cutouts
    marked = images.copy()
    marked[:, 0, 0, 0] = np.arange(len(labels))
    batches = Batches(TrainingSample(marked, labels), batch=64, seed=3)
    orders = []
    for epoch in range(2):
        batches.start(epoch)
        seen = [batches[step] for step in range(len(batches))]
        orders.append(np.concatenate([np.rint(x[:, 0, 0, 0] * 255) for x, _ in seen]).astype(int))
        np.testing.assert_array_equal(np.concatenate([y for _, y in seen]), labels[orders[-1]])
    assert [sorted(order) for order in orders] == [list(range(150))] * 2
    assert (orders[0] != orders[1]).any()
    later = Batches(TrainingSample(marked, labels), batch=64, seed=3)
    later.start(1)
    np.testing.assert_array_equal(np.rint(later[0][0][:, 0, 0, 0] * 255), orders[1][:64])


def test_balanced_batches_have_as_many_of_each(cutouts):
    images, labels = cutouts
    rare = np.flatnonzero(labels)[:20]
    rows = np.concatenate([rare, np.flatnonzero(labels == 0)])
    batches = Batches(TrainingSample(images[rows], labels[rows]), batch=16, seed=1, balance=True)
    drawn = np.concatenate([batches[step][1] for step in range(len(batches))])
    assert len(drawn) == 40 and drawn.sum() == 20


def test_augmentation_keeps_range_shape_and_the_sky(cutouts):
    images, labels = cutouts[0][:32] / np.float32(255), cutouts[1][:32].astype(np.float32)
    changed, kept = Augmentation(lost=0).apply(images, labels, np.random.default_rng(1))
    assert changed.shape == images.shape and changed.dtype == np.float32
    assert changed.min() >= 0 and changed.max() <= 1
    np.testing.assert_array_equal(kept, labels)
    np.testing.assert_allclose(np.median(changed), np.median(images), atol=0.01)
    only_turned = Augmentation(noise=0, blur=0, gain=0, lost=0)
    turned, _ = only_turned.apply(images, labels, np.random.default_rng(1))
    np.testing.assert_allclose(
        np.sort(turned.reshape(32, -1)), np.sort(images.reshape(32, -1)), atol=1e-6
    )
    assert (turned != images).any()


def test_cutouts_that_lose_bands_count_as_no_lsbgs(cutouts):
    images, labels = cutouts[0] / np.float32(255), np.ones(150, np.float32)
    losing = Augmentation(turn=False, noise=0, blur=0, gain=0, lost=0.5)
    changed, kept = losing.apply(images, labels, np.random.default_rng(3))
    lost = (abs(changed - images) > 0.05).any(axis=(1, 2, 3))
    assert 50 < lost.sum() < 100
    np.testing.assert_array_equal(kept, ~lost)
    flags = [judge(np.rint(image * 255).astype(np.uint8)) for image in changed[lost]]
    assert all(flag & (Flag.MISSING_BAND | Flag.NO_COVERAGE) for flag in flags)
    assert (labels == 1).all()


def test_half_of_every_batch_comes_from_beside():
    """As many of each class of the other sample, and others in another epoch."""
    own = np.zeros((20, 64, 64, 3), np.uint8)
    other = np.full((50, 64, 64, 3), 255, np.uint8)
    other[:, 0, 0, 0] = np.arange(50)
    labels, theirs = np.arange(20) % 2, (np.arange(50) < 10).astype(int)
    sample = TrainingSample(own, labels, beside=(other, theirs))
    batches = Batches(sample, batch=16, seed=1, balance=True)
    assert len(batches) == 3
    drawn = []
    for epoch in range(2):
        batches.start(epoch)
        sizes = []
        for step in range(len(batches)):
            images, targets = batches[step]
            sizes.append(len(images))
            half = len(images) // 2
            assert not images[:half].any() and (images[half:, 1:] == 1).all()
            assert targets[half:].sum() == half // 2
            drawn.append(np.round(images[half:, 0, 0, 0] * 255).astype(int))
            np.testing.assert_array_equal(targets[half:], theirs[drawn[-1]])
        assert sizes == [16, 16, 8]
    assert (drawn[0] != drawn[3]).any()


def test_some_cutouts_become_blank():
    """What has lost all colour, at any level of grey, counts as no LSBG."""
    images = np.random.default_rng(1).random((200, 64, 64, 3), dtype=np.float32)
    augmentation = Augmentation(turn=False, noise=0, blur=0, gain=0, lost=0.5, blank=1.0)
    changed, labels = augmentation.apply(images, np.ones(200), np.random.default_rng(2))
    blank = np.ptp(changed, axis=(1, 2, 3)) == 0
    assert 70 < blank.sum() < 130
    np.testing.assert_array_equal(labels, ~blank)
    assert np.ptp(changed[blank, 0, 0, 0]) > 0.9


def test_some_cutouts_get_a_star():
    """Saturated in the middle, and no LSBG any more; the corners stay as they were."""
    images = np.full((200, 64, 64, 3), 0.1, np.float32)
    augmentation = Augmentation(turn=False, noise=0, blur=0, gain=0, lost=0, star=0.5)
    changed, labels = augmentation.apply(images, np.ones(200), np.random.default_rng(2))
    starry = (changed != images).any(axis=(1, 2, 3))
    assert 70 < starry.sum() < 130
    np.testing.assert_array_equal(labels, ~starry)
    middle = changed[starry, 30:34, 30:34]
    assert np.isin(middle, [0, 1]).mean() > 0.9
    assert len(np.unique(middle[:, 2, 2], axis=0)) > 4
    assert changed.dtype == np.float32 and changed.min() >= 0 and changed.max() <= 1


@pytest.mark.long
@pytest.mark.slow
def test_normalisation_may_keep_its_statistics(cutouts):
    for trained in (True, False):
        keras.utils.set_random_seed(3)
        network = build_network()
        before = [weight.numpy().copy() for weight in network.layers[1].weights]
        recipe = replace(REHEARSED, epochs=1, normalisation=trained)
        train(network, TrainingSample(*cutouts), recipe, seed=1)
        after = [weight.numpy() for weight in network.layers[1].weights]
        same = [np.array_equal(*pair) for pair in zip(before, after, strict=True)]
        assert same == [not trained] * 4
