"""Any network that a card names is trained, loaded, run, explained; ours and other packages'."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.network import (
    build_network,
    expect_fraction,
    freeze_convolutions,
    inference_network,
    load_network,
    network_steps,
)
from lsbg_classifier.networks import registry, residual
from lsbg_classifier.networks.steps import NotPlainError, steps_of
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim
from lsbg_classifier.training.dataset_parts import part_path, write_part
from lsbg_classifier.training.gradcam import last_features
from lsbg_classifier.training.recipes import ROBUST
from lsbg_classifier.training.studies import three_class_study
from lsbg_classifier.training.trainer import Trainer
from lsbg_classifier.training.workflow import Training, check_request, make_weights
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights

QUICK = replace(ROBUST, epochs=1, batch=16)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Discs in the middle (LSBGs), at the side (type 2), and bright pixels (type 1)."""
    folder = tmp_path_factory.mktemp("cutouts")
    rng = np.random.default_rng(4)
    kinds = np.tile([0, 2, 0, 2, 1], 24)
    y, x = np.mgrid[:64, :64]
    centre = np.where(kinds == 0, 31.5, 12.0)[:, None, None]
    glow = np.exp(-((x - centre) ** 2 + (y - centre) ** 2) / 200) * (kinds != 1)[:, None, None]
    images = 32 + 80 * glow[..., None] + rng.normal(0, 8, (120, 64, 64, 3))
    images[kinds == 1, 20, 40] = 255
    share = np.repeat(["train", "validation", "test"], [60, 20, 40])
    columns = {
        "row": np.arange(120),
        "ra": np.zeros(120),
        "dec": np.zeros(120),
        "label": (kinds == 0).astype(np.int8),
        "split": np.where(kinds == 1, np.char.add("spare ", share), share).astype(object),
        "flags": np.zeros(120, np.int16),
        "artifact_type": kinds.astype(np.int8),
    }
    claim(folder, Manifest("made up", "0", "nowhere:", survey_named("des").imaging(), 1))
    write_part(part_path(folder, 0), columns, np.clip(images, 0, 255).astype(np.uint8))
    return CutoutDataset(folder)


def training(dataset, **options):
    texts = {"description": "a test", "limitations": "all", "command": "none"}
    return Training(name="small", dataset=dataset, recipe=QUICK, **texts, **options)


@pytest.fixture(scope="module")
def small(dataset, tmp_path_factory):
    """A weight set of the residual network, trained for one epoch."""
    folder = tmp_path_factory.mktemp("weights")
    return make_weights(training(dataset, architecture="residual", prior=0.3), folder)


@pytest.fixture(scope="module")
def images(dataset):
    return dataset.load("test")[0]


@pytest.mark.long
@pytest.mark.slow
def test_the_card_names_the_network(small):
    assert small.card.architecture == "residual"
    network = load_network(small)
    assert network.name == "residual"
    assert network.count_params() < 100_000
    assert any(step.kind == "Add" for step in network_steps(network))


@pytest.mark.long
@pytest.mark.slow
def test_both_engines_classify_with_it(small, images):
    one, other = (load_classifier(small.path, engine=name) for name in ("onnx", "keras"))
    expected = load_network(small).predict(images / np.float32(255), verbose=0)[:, 0]
    np.testing.assert_allclose(one.predict(images), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(other.predict(images), expected, rtol=0, atol=1e-6)
    assert np.ptp(expected) > 1e-4
    rows = np.arange(len(images))
    spreads = [classifier.spread(images, rows) for classifier in (one, other)]
    np.testing.assert_allclose(*spreads, rtol=1e-3)
    assert (spreads[0] > 0).all()
    assert (one.predict(images[5:7]) == one.predict(images)[5:7]).all()


@pytest.mark.slow
def test_heat_maps_are_those_of_automatic_differentiation(small, images):
    import tensorflow as tf

    network = load_network(small)
    features_layer = network.get_layer(last_features(network_steps(network)).name)
    assert isinstance(features_layer, layers.ReLU)
    front = keras.Model(network.inputs[0], features_layer.output)
    pooling, _, last = network.layers[-3:]
    with tf.GradientTape() as tape:
        features = front(images[:6] / np.float32(255))
        tape.watch(features)
        logit = tf.matmul(pooling(features), last.kernel) + last.bias
    gradient = tape.gradient(logit, features)
    expected = np.maximum(np.sum(features * gradient, axis=-1), 0)
    assert expected.shape == (6, 16, 16) and expected.any()
    classifier = load_classifier(small.path)
    assert classifier.engine.name == "onnx"
    for maps in (classifier.contribution_maps(images[:6]), classifier.heat_maps(images[:6])):
        # with global average pooling the gradient is the same everywhere
        np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.long
@pytest.mark.slow
def test_it_is_fine_tuned_and_its_convolutions_stay(small, dataset, tmp_path):
    made = make_weights(training(dataset, start=small, layers="dense"), tmp_path)
    assert made.card.architecture == "residual"
    before, after = load_network(small), load_network(made)
    names = [layer.name for layer in before.layers]
    for number, layer in enumerate(before.layers):
        same = zip(layer.get_weights(), after.layers[number].get_weights(), strict=True)
        if names[number].startswith("dense"):
            assert any((one != other).any() for one, other in same)
        else:
            assert all((one == other).all() for one, other in same)


@pytest.mark.slow
def test_another_fraction_changes_its_odds(images):
    network = build_network(architecture="residual")
    before = network.predict_on_batch(images / np.float32(255))
    expect_fraction(network, 0.2)
    after = network.predict_on_batch(images / np.float32(255))
    np.testing.assert_allclose(after / (1 - after), before / (1 - before) / 4, rtol=1e-4)


@pytest.mark.slow
def test_the_fast_arrangement_gives_the_same(images):
    network = build_network(architecture="residual")
    found = inference_network(network).predict_on_batch(images)
    expected = network.predict_on_batch(images / np.float32(255))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.slow
def test_studies_train_it(dataset, tmp_path):
    trainer = Trainer(dataset, QUICK, tmp_path, architecture="residual")
    assert "network residual" in trainer.describe()
    assert len(three_class_study(trainer).confusion) == 3
    assert trainer.build(3).output_shape == (None, 3)
    sizes = [path.stat().st_size for path in tmp_path.rglob("checkpoint-*.weights.h5")]
    assert len(sizes) == 1 and max(sizes) < 3_000_000  # DeepShadows' are 50 MB


@pytest.mark.slow
def test_weights_of_one_network_are_none_of_another(small, tmp_path):
    with pytest.raises(InputError, match="has the network residual; leave out --architecture"):
        check_request("x", "all", small, "deepshadows")
    with pytest.raises(InputError, match="unknown architecture 'other': choose one of deepshadows"):
        check_request("x", "all", None, "other")
    check_request("x", "all", small, "residual")
    card = replace(small.card, architecture="deepshadows")
    card.write(small.path.with_name("small.json"))
    try:
        for engine in ("keras", "auto"):
            with pytest.raises(InputError, match="not weights of this network, deepshadows"):
                load_classifier(small.path, engine=engine)
        with pytest.raises(InputError, match="they are of the network residual"):
            load_classifier(small.path, engine="onnx")
    finally:
        small.card.write(small.path.with_name("small.json"))


@pytest.mark.slow
def test_weights_of_another_version_of_a_network_are_refused(small, monkeypatch):
    """Of the same sizes, but computing something else."""
    monkeypatch.setattr("lsbg_classifier.network.network_builder", lambda _: changed_residual)
    with pytest.raises(
        InputError, match=r"layer \d+ has rate 0.1, and had 0.4 when it was trained"
    ):
        load_network(small)


def changed_residual(classes):
    network = residual.build_network(classes)
    config = network.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "Dropout":
            layer["config"]["rate"] = 0.1
    return keras.Model.from_config(config)


def test_cards_without_an_architecture_are_of_deepshadows(tmp_path):
    import json
    import shutil

    shipped = find_weights(DEFAULT_WEIGHTS)
    shutil.copy(shipped.path, tmp_path / "old.weights.h5")
    content = json.loads(shipped.path.with_name(f"{DEFAULT_WEIGHTS}.json").read_text())
    assert content.pop("architecture") == "deepshadows"
    (tmp_path / "old.json").write_text(json.dumps(content))
    classifier = load_classifier(tmp_path / "old.weights.h5")
    assert classifier.card.architecture == "deepshadows" and classifier.engine.name == "onnx"


def model(*sequence):
    return keras.Sequential([keras.Input((64, 64, 3)), *sequence])


REFUSED = {
    "nothing": (None, "not a keras.Model"),
    "another input": (
        keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(1, "sigmoid")]),
        "takes images of shape",
    ),
    "no sigmoid": (model(layers.Flatten(), layers.Dense(1)), "does not end with Dense"),
    "several units": (model(layers.Flatten(), layers.Dense(2, "sigmoid")), "does not end with"),
    "a network inside": (
        model(keras.Sequential([layers.Flatten()]), layers.Dense(1, "sigmoid")),
        "holds other layers",
    ),
}


@pytest.mark.parametrize(("network", "message"), REFUSED.values(), ids=REFUSED)
def test_networks_that_cannot_be_used_are_refused(network, message, monkeypatch):
    monkeypatch.setitem(registry.NETWORKS, "odd", f"{__name__}:odd_network")
    monkeypatch.setattr("test_networks.odd_network", lambda classes: network, raising=False)
    with pytest.raises(InputError, match=message) as error:
        build_network(architecture="odd")
    assert "\n" not in str(error.value)


def test_layers_called_twice_are_refused():
    inputs = keras.Input((64, 64, 3))
    convolution = layers.Conv2D(3, 3, padding="same")
    network = keras.Model(inputs, convolution(convolution(inputs)))
    with pytest.raises(NotPlainError, match="is called 2 times"):
        steps_of(network.get_config())


PLUGIN = """
import keras

def build(classes):
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return keras.Sequential([
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(4, 5, strides=2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation=activation),
    ])
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package that adds a network, and one that would hide ours."""
    monkeypatch.syspath_prepend(tmp_path)
    registry._plugins.cache_clear()
    metadata = tmp_path / "tiny-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    points = "tiny = tiny_net:build\ndeepshadows = tiny_net:build\nbroken = no_such:build\n"
    (metadata / "entry_points.txt").write_text(f"[lsbg_classifier.networks]\n{points}")
    (tmp_path / "tiny_net.py").write_text(PLUGIN)
    yield
    registry._plugins.cache_clear()


@pytest.mark.slow
def test_other_packages_add_networks(plugin, dataset, images, tmp_path):
    assert registry.known_networks() == ["deepshadows", "residual", "tiny", "broken"]
    made = make_weights(training(dataset, architecture="tiny"), tmp_path / "out")
    classifier = load_classifier(made.path)
    assert classifier.engine.name == "onnx"
    expected = load_network(made).predict_on_batch(images / np.float32(255))[:, 0]
    np.testing.assert_allclose(classifier.predict(images), expected, rtol=0, atol=1e-5)
    assert classifier.contribution_maps(images[:2]).shape == (2, 16, 16)
    with pytest.raises(InputError, match="no dropout"):
        classifier.spread(images, np.arange(len(images)))
    assert build_network().name == "deepshadows"
    with pytest.raises(InputError, match="broken: the installed package tiny cannot be loaded"):
        build_network(architecture="broken")


def test_all_but_dense_layers_are_frozen():
    network = freeze_convolutions(build_network(architecture="residual"))
    trained = [layer.name for layer in network.layers if layer.trainable_weights]
    assert len(trained) == 1 and trained[0].startswith("dense")
