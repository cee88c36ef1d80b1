"""ONNX Runtime gives what Keras gives, layer by layer and for whole networks, without Keras."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import h5py
import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from catalogs.errors import InputError
from lsbg_classifier import cores, load_classifier
from lsbg_classifier.cores import usable_cores
from lsbg_classifier.engines import choice
from lsbg_classifier.engines.graphs import Graph, UnknownLayerError, with_pooling_first
from lsbg_classifier.network import build_network, network_steps
from lsbg_classifier.networks.registry import NETWORKS
from lsbg_classifier.networks.stored import described, read_description, read_weights
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from lsbg_classifier.weights.saving import save_weight_set

ON_IMAGES = {
    "same": layers.Conv2D(5, 3, padding="same", activation="relu"),
    "valid": layers.Conv2D(4, (5, 2), use_bias=False),
    "strides, even": layers.Conv2D(4, 4, strides=2, padding="same"),
    "strides, odd": layers.Conv2D(4, 3, strides=(3, 2), padding="same"),
    "strides, valid": layers.Conv2D(4, 3, strides=3),
    "dilated": layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="tanh"),
    "grouped": layers.Conv2D(6, 3, groups=3, activation="sigmoid"),
    "normalisation": layers.BatchNormalization(epsilon=0.01),
    "normalisation without scale": layers.BatchNormalization(scale=False),
    "normalisation without centre": layers.BatchNormalization(center=False),
    "max pooling": layers.MaxPooling2D(2),
    "max pooling, same": layers.MaxPooling2D(3, strides=2, padding="same"),
    "average pooling": layers.AveragePooling2D((2, 3)),
    "average pooling, same": layers.AveragePooling2D(3, strides=2, padding="same"),
    "relu": layers.ReLU(),
    "activation": layers.Activation("softplus"),
    "dropout": layers.Dropout(0.3),
    "spatial dropout": layers.SpatialDropout2D(0.3),
}
TO_FEATURES = {
    "flatten": layers.Flatten(),
    "global average": layers.GlobalAveragePooling2D(),
    "global maximum": layers.GlobalMaxPooling2D(),
}
MERGES = {"sum": layers.Add(), "product": layers.Multiply(), "side by side": layers.Concatenate()}
NOT_CONVERTED = {
    "gelu": layers.Activation("gelu"),
    "leaky": layers.LeakyReLU(),
    "six": layers.ReLU(max_value=6),
    "rows": layers.BatchNormalization(axis=1),
    "dense of pixels": layers.Dense(3),
}


def images_of(shape, count=3):
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def disturb(network, size=0.3):
    """Give a network weights at random, negative factors of normalisation among them."""
    rng = np.random.default_rng(2)
    for layer in network.layers:
        weights = [rng.normal(0, size, each.shape) for each in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            weights[-1] = rng.uniform(0.5, 2, weights[-1].shape)
        layer.set_weights(weights)
    return network


def run_by_onnx(network, images, folder):
    """Convert a network by way of its file of weights, and run it."""
    path = folder / "network.weights.h5"
    network.save_weights(path)
    steps, weights = with_pooling_first(
        network_steps(network), read_weights(path, network_steps(network))
    )
    graph = Graph(weights, len(images))
    graph.add_pixels(steps[0].name, images.shape[1:])
    for step in steps[1:]:
        graph.add_step(step)
    model = graph.model([steps[-1].name]).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def assert_the_same(network, images, folder):
    expected = keras.ops.convert_to_numpy(network(images / np.float32(255)))
    values = run_by_onnx(network, images, folder)
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 0


@pytest.mark.parametrize("layer", ON_IMAGES.values(), ids=ON_IMAGES)
@pytest.mark.parametrize("shape", [(12, 12, 3), (13, 10, 3)])
def test_layers_on_images(layer, shape, tmp_path):
    inputs = keras.Input(shape)
    layer = type(layer).from_config(layer.get_config())
    assert_the_same(disturb(keras.Model(inputs, layer(inputs))), images_of(shape), tmp_path)


@pytest.mark.parametrize("layer", TO_FEATURES.values(), ids=TO_FEATURES)
def test_layers_from_images_to_features(layer, tmp_path):
    inputs = keras.Input((5, 7, 3))
    values = layers.Dense(4, activation="relu")(layer(inputs))
    values = layers.Dense(2, use_bias=False)(layers.BatchNormalization()(values))
    assert_the_same(disturb(keras.Model(inputs, values)), images_of((5, 7, 3)), tmp_path)


@pytest.mark.parametrize("layer", MERGES.values(), ids=MERGES)
def test_merges(layer, tmp_path):
    inputs = keras.Input((6, 6, 3))
    branches = [layers.Conv2D(4, 3, padding="same")(inputs) for _ in range(3)]
    output = layers.Conv2D(2, 1)(layer(branches))
    assert_the_same(disturb(keras.Model(inputs, output)), images_of((6, 6, 3)), tmp_path)


@pytest.mark.parametrize("layer", NOT_CONVERTED.values(), ids=NOT_CONVERTED)
def test_what_is_not_converted_is_named(layer, tmp_path):
    inputs = keras.Input((6, 6, 3))
    network = keras.Model(inputs, layer(inputs))
    with pytest.raises(UnknownLayerError):
        run_by_onnx(network, images_of((6, 6, 3)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "size"), [("deepshadows", 0.06), ("residual", 0.3)])
def test_whole_networks(architecture, size, tmp_path):
    network = disturb(build_network(architecture=architecture), size)
    assert_the_same(network, images_of((64, 64, 3)), tmp_path)


@pytest.mark.parametrize("gamma", [[1.0, 2.0, 0.5], [0.0, 1.0, 2.0], [1.0, -1.0, 2.0]])
def test_pooling_before_normalisation_changes_nothing(gamma, tmp_path):
    """It is exchanged where no gamma is negative."""
    inputs = keras.Input((8, 9, 3))
    normalisation = layers.BatchNormalization()
    pooled = layers.MaxPooling2D(2)(normalisation(inputs))
    network = keras.Model(inputs, layers.Conv2D(2, 1)(pooled))
    disturb(network)
    _, *others = normalisation.get_weights()
    normalisation.set_weights([np.array(gamma), *others])
    images = images_of((8, 9, 3))
    assert_the_same(network, images, tmp_path)
    weights = read_weights(tmp_path / "network.weights.h5", network_steps(network))
    kinds = [step.kind for step in with_pooling_first(network_steps(network), weights)[0]]
    first, second = ("MaxPooling2D", "BatchNormalization")[:: 1 if min(gamma) >= 0 else -1]
    assert kinds == ["InputLayer", first, second, "Conv2D"]


def test_the_description_beside_the_code_is_that_of_the_code():
    shipped = read_description(find_weights(DEFAULT_WEIGHTS).path, "deepshadows")
    built = json.loads(json.dumps(described(network_steps(build_network()))))
    assert [layer | built_layer for layer, built_layer in zip(built, shipped, strict=True)] == built


_WITHOUT_KERAS = """
import sys
import numpy as np
from lsbg_classifier import cores, load_classifier
from lsbg_classifier.cores import usable_cores
classifier = load_classifier()
classifier.predict(np.zeros((3, 64, 64, 3), np.uint8))
classifier.unlike_training(np.zeros((3, 64, 64, 3), np.uint8))
classifier.spread(np.zeros((2, 64, 64, 3), np.uint8), np.arange(2))
sys.stdout.write(" ".join(name for name in ("keras", "tensorflow", "jax") if name in sys.modules))
"""


@pytest.mark.slow
def test_no_other_engine_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_KERAS], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_nobody_is_told_that_a_network_ran(tmp_path):
    """ONNX Runtime keeps an identifier of the user's, and sends it, unless it is told not to."""
    ours = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    without = {"CI", "ORT_DISABLE_TELEMETRY"}  # under continuous integration nothing is sent
    environment = {name: value for name, value in os.environ.items() if name not in without} | ours
    code = "from lsbg_classifier import load_classifier; load_classifier(engine='onnx')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.rglob("*onnxruntime*"))


@pytest.mark.slow
def test_threads_change_no_bit(monkeypatch):
    images = images_of((64, 64, 3), 80)
    results = []
    for number in ("1", "2", "5"):
        monkeypatch.setenv(cores.THREADS, number)
        assert usable_cores() == int(number)
        results.append(load_classifier(engine="onnx").predict(images))
    assert all((result == results[0]).all() for result in results)


@pytest.mark.parametrize("value", ["", "0", "-2", "many"])
def test_threads_that_are_no_number_are_as_many_as_cores(value, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv(cores.THREADS, value)
    assert usable_cores() >= 1


_COMPILE = """
import logging
logging.basicConfig(format="%(message)s")
import numpy as np
from lsbg_classifier.compiled import compiled
@compiled
def double(values):
    return 2 * values
@compiled
def triple(values):
    return 3 * values
for _ in range(2):
    double(np.ones(3)), triple(np.ones(3))
"""


@pytest.mark.slow
def test_compilation_is_said_once_and_not_when_it_is_done_already(tmp_path):
    script = tmp_path / "loops.py"
    script.write_text(_COMPILE)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for expected in (1, 0):
        done = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("compiling loops over pixels, once") == expected


_IN_A_FORK = """
import os, sys, warnings
import numpy as np
from lsbg_classifier import load_classifier
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of forking beside threads
images = np.zeros((70, 64, 64, 3), np.uint8)
classifier = load_classifier()
expected = classifier.predict(images)
child = os.fork()
if child == 0:
    os._exit(0 if (classifier.predict(images) == expected).all() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_process_that_is_forked_scores_too():
    environment = os.environ | {cores.THREADS: "2"}
    command = [sys.executable, "-c", _IN_A_FORK]
    assert subprocess.run(command, env=environment, timeout=60).returncode == 0


def test_an_unknown_engine_is_refused():
    with pytest.raises(InputError, match="unknown engine 'fast': choose one of auto, onnx, keras"):
        load_classifier(engine="fast")


@pytest.fixture
def not_converted(tmp_path, monkeypatch):
    """A weight set of a network that ONNX Runtime is not given."""
    monkeypatch.setitem(NETWORKS, "curved", f"{__name__}:curved_network")
    card = replace(find_weights(DEFAULT_WEIGHTS).card, name="curved", architecture="curved")
    return save_weight_set(build_network(architecture="curved"), card, tmp_path)


def curved_network(classes):
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(4, 3, strides=4, activation="gelu"),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.3),
            layers.Dense(units, activation=activation),
        ]
    )


def test_what_cannot_be_converted_is_run_by_keras_and_said(not_converted, caplog):
    with caplog.at_level(logging.WARNING):
        classifier = load_classifier(not_converted.path)
    assert classifier.engine.name == "keras"
    assert "activation gelu" in classifier.engine_reason and "activation gelu" in caplog.text
    images = images_of((64, 64, 3))
    network = classifier.engine.network
    expected = network.predict_on_batch(images / np.float32(255))[:, 0]
    np.testing.assert_allclose(classifier.predict(images), expected, atol=1e-6)


def test_what_cannot_be_converted_is_refused_if_onnx_is_asked_for(not_converted):
    with pytest.raises(InputError, match=r"activation gelu.*choose the engine keras") as error:
        load_classifier(not_converted.path, engine="onnx")
    assert "\n" not in str(error.value)


def rewritten(weights, folder, change):
    """Return a weight set whose file is changed, with a card that knows of it."""
    path = folder / "changed.weights.h5"
    shutil.copy(weights.path, path)
    with h5py.File(path, "a") as file:
        change(file)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    replace(weights.card, sha256=digest).write(path.with_name("changed.json"))
    return find_weights(path)


def _drop_layer(file):
    del file["layers/conv2d_1"]


def _add_layer(file):
    file["layers/conv2d_9/vars/0"] = np.zeros(3, np.float16)


def _turn_kernel(file):
    kernel = file["layers/conv2d/vars/0"][()]
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = kernel.transpose(3, 0, 1, 2)


def _not_finite(file):
    file["layers/dense/vars/1"][5] = np.nan


@pytest.mark.parametrize("change", [_drop_layer, _add_layer, _turn_kernel, _not_finite])
@pytest.mark.parametrize("engine", ["onnx", "auto"])
def test_damaged_weights_are_refused(change, engine, tmp_path):
    damaged = rewritten(find_weights(DEFAULT_WEIGHTS), tmp_path, change)
    with pytest.raises(InputError, match="not weights of this network"):
        load_classifier(damaged.path, engine=engine)


def test_a_gpu_is_asked_for_only_where_there_may_be_one(monkeypatch, tmp_path):
    def must_not_start():
        raise AssertionError

    monkeypatch.setattr(choice, "start_backend", must_not_start)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(choice, "_DEVICES", tmp_path)
    assert not choice._has_gpu()
    (tmp_path / "nvidiactl").touch()
    assert not choice._has_gpu()
    (tmp_path / "nvidia0").touch()
    with pytest.raises(AssertionError):
        choice._has_gpu()
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert not choice._has_gpu()


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "engine"), [([], "onnx"), (["gpu:0"], "keras")])
def test_keras_runs_on_the_gpus_that_its_backend_has(devices, engine, monkeypatch, tmp_path):
    (tmp_path / "nvidia0").touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(choice, "_DEVICES", tmp_path)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: devices)
    assert load_classifier().engine.name == engine
