"""Build, load and rearrange a network that a card names, in pure Keras 3."""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from catalogs.errors import InputError, one_line
from lsbg_classifier.networks.registry import DEFAULT_NETWORK, network_builder, origin
from lsbg_classifier.networks.steps import NotPlainError, Step, pooled_normalisations, steps_of
from lsbg_classifier.networks.stored import check_description
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.registry import WeightSet

_SHAPE = (CUTOUT_SIZE, CUTOUT_SIZE, 3)


def build_network(classes: int = 2, architecture: str = DEFAULT_NETWORK) -> keras.Model:
    """Build an untrained network.

    Parameters
    ----------
    classes : int
        Two: LSBG or not; or more.
    architecture : str
        A name that `lsbg_classifier.networks.registry.known_networks` lists.

    Returns
    -------
    keras.Model
        Takes float images, shape (N, 64, 64, 3), RGB in [0, 1]; gives the probability of being a
        low-surface-brightness galaxy, shape (N, 1), or that of each class, shape (N, classes).

    Raises
    ------
    InputError
        If there is no such network, or its builder makes what cannot be used here.
    """
    network = network_builder(architecture)(classes)
    try:
        _check_network(network, classes)
    except ValueError as error:
        raise InputError(
            f"architecture {architecture!r} of the package {origin(architecture)} cannot be used: "
            f"{error}"
        ) from error
    return network


def load_network(weights: WeightSet) -> keras.Model:
    """Build the network that the card of a set names, with the weights of the set.

    Raises
    ------
    InputError
        If the file is not the one that its card describes, or of another network.
    """
    weights.check_intact()
    path = weights.path
    architecture = weights.card.architecture
    network = build_network(architecture=architecture)
    try:
        check_description(path, architecture, network_steps(network))
        _check_parameters(path, network.count_params())
        network.load_weights(path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = one_line(error)
        raise InputError(
            f"{path}: not weights of this network, {architecture} ({reason})"
        ) from error
    return network


def network_steps(network: keras.Model) -> list[Step]:
    """Return the steps of a network; its own layers have their names."""
    return steps_of(network.get_config())


def apply_steps(
    network: keras.Model,
    steps: list[Step],
    values: dict,
    replace: Callable | None = None,
) -> dict:
    """Apply the layers of a network, one after the other.

    Parameters
    ----------
    network : keras.Model
    steps : list of Step
        Of this network, in order; those with a value already are passed over.
    values : dict of str to tensor
        Outputs by step; gets those of the other steps.
    replace : callable, optional
        Called with (step, layer, inputs); gives the output, or None to have the layer applied.
        Inputs are a tensor, or a list of them.

    Returns
    -------
    dict
        `values`.
    """
    for step in steps:
        if step.name in values:
            continue
        inputs = [values[name] for name in step.inputs]
        inputs = inputs[0] if len(inputs) == 1 else inputs
        layer = network.get_layer(step.name)
        output = None if replace is None else replace(step, layer, inputs)
        values[step.name] = layer(inputs) if output is None else output
    return values


def part_of_network(
    network: keras.Model,
    outputs: list[str],
    replace: Callable | None = None,
) -> keras.Model:
    """Arrange what leads from cutouts to some steps; weights are shared, not copied.

    Parameters
    ----------
    network : keras.Model
    outputs : list of str
        Names of steps.
    replace : callable, optional
        As for `apply_steps`.

    Returns
    -------
    keras.Model
        Takes uint8 cutouts, shape (N, 64, 64, 3); gives the outputs of these steps for the cutouts
        divided by 255, one or a list.
    """
    steps = network_steps(network)
    pixels = keras.Input(_SHAPE, dtype="uint8")
    values = {steps[0].name: layers.Rescaling(1 / 255)(pixels)}
    apply_steps(network, _leading_to(steps, outputs), values, replace)
    tensors = [values[name] for name in outputs]
    return keras.Model(pixels, tensors[0] if len(tensors) == 1 else tensors)


def inference_network(network: keras.Model) -> keras.Model:
    """Arrange a trained network for speed; its weights are shared, not copied.

    Pooling goes before normalisation where it can; see `pooled_normalisations`.

    Returns
    -------
    keras.Model
        Takes uint8 cutouts, shape (N, 64, 64, 3); gives what the network gives for them / 255.
    """
    steps = network_steps(network)
    pooled = pooled_normalisations(steps)
    late = set(pooled.values())

    def replace(step, layer, inputs):
        if step.kind == "Dropout" or step.name in late:
            return inputs
        if step.name in pooled:
            return _pooled_first(layer, network.get_layer(pooled[step.name]), inputs)
        return None

    return part_of_network(network, [steps[-1].name], replace)


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
    bias = network.get_layer(network_steps(network)[-1].name).bias
    bias.assign(keras.ops.convert_to_numpy(bias) + np.float32(offset))


def _check_network(network, classes: int):
    """Raise ValueError, or NotPlainError, unless all that is done here with networks can be."""
    if not isinstance(network, keras.Model):
        raise ValueError(f"its builder returns {type(network).__name__}, not a keras.Model")
    if not isinstance(network.get_config(), Mapping) or "layers" not in network.get_config():
        raise NotPlainError("it is neither Sequential nor functional")
    last = network_steps(network)[-1]
    if tuple(network.input_shape) != (None, *_SHAPE):
        raise ValueError(f"it takes images of shape {network.input_shape[1:]}, not {_SHAPE}")
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    options = (last.config.get(key) for key in ("units", "activation", "use_bias"))
    if last.kind != "Dense" or tuple(options) != (units, activation, True):
        raise ValueError(f"it does not end with Dense({units}, activation={activation!r})")


def _check_parameters(path: Path, parameters: int):
    """Refuse what Keras would load: a part of a larger network, and numbers that are not finite."""
    sizes = []

    def look(_, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)
            if not np.isfinite(item[()]).all():
                raise ValueError("some weights are not finite")

    with h5py.File(path) as file:
        file["layers"].visititems(look)
    if sum(sizes) != parameters:
        raise ValueError(f"{sum(sizes)} parameters instead of {parameters}")


def _leading_to(steps: list[Step], outputs: list[str]) -> list[Step]:
    """Return the steps that the outputs depend on, and the outputs, in order."""
    needed = set(outputs)
    for step in reversed(steps):
        if step.name in needed:
            needed.update(step.inputs)
    return [step for step in steps if step.name in needed]


def _pooled_first(pooling, normalisation, values):
    """Pool, then normalise; pooling takes the smallest where the normalisation turns signs."""
    pooled = pooling(values)
    if normalisation.gamma is not None:
        gains = keras.ops.convert_to_numpy(normalisation.gamma)
        if (gains < 0).any():
            pooled = keras.ops.where(gains < 0, -pooling(-values), pooled)
    return normalisation(pooled)
