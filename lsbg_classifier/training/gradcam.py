"""Grad-CAM: which part of a cutout speaks for an LSBG (Selvaraju et al. 2017, ICCV, 618).

The paper's explanation of the network (Tanoglidis et al. 2021): artifacts light up
off-centre, LSBGs at the centre.
"""

from collections.abc import Callable

import keras
import numpy as np
from PIL import Image

from lsbg_classifier.network import apply_steps, network_steps, part_of_network
from lsbg_classifier.networks.steps import Step, crossing, dependents

SIDE = 16
"""Rows and columns of a map: those of DeepShadows' last convolution."""

_RECTIFIED = ("ReLU", "LeakyReLU", "PReLU", "ELU")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")


def heat_maps(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return what each part of the last convolutional features adds to the logit.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    images : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of float32, shape (N, 16, 16)
        At least 0; row 0 at the top. All zero where nothing speaks for an LSBG. The features of a
        network that has more or fewer of them are interpolated.
    """
    features, gradients = _features_and_gradients(network, images)
    share = gradients.mean(axis=(1, 2))
    return _of_one_size(np.einsum("nhwc,nc->nhw", features, share))


def contribution_maps(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return what each place of the last convolutional features adds to the logit, where it is.

    Grad-CAM averages the gradient over the image before it multiplies, so that a network that
    weighs places differently, as DeepShadows does with its dense layer, often gets an empty map.
    Without that average (HiResCAM, Draelos & Carin 2020, arXiv:2011.08891) the map shows the very
    places.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    images : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of float32, shape (N, 16, 16)
        At least 0; row 0 at the top; interpolated as those of `heat_maps`.
    """
    features, gradients = _features_and_gradients(network, images)
    return _of_one_size((features * gradients).sum(axis=-1))


def last_features(steps: list[Step]) -> Step:
    """Return the last step of a network that gives rectified features of an image.

    That is the last convolution, or what applies its activation function.

    Raises
    ------
    ValueError
        If the network has no convolution.
    """
    kinds = [step.kind for step in steps]
    if not set(kinds) & set(_CONVOLUTIONS):
        raise ValueError("a network without convolutions has no heat maps")
    flat = next(
        (n for n, kind in enumerate(kinds) if kind == "Flatten" or kind.startswith("Global")),
        len(steps) - 1,
    )
    spatial = [step for step in steps[:flat] if step.kind in (*_CONVOLUTIONS, *_RECTIFIED)]
    spatial += [step for step in steps[:flat] if step.kind == "Activation"]
    return max(spatial, key=steps.index)


def _features_and_gradients(network: keras.Model, images: np.ndarray):
    """Return the last features, and the gradient of the logit to them, both (N, H, W, C)."""
    steps = network_steps(network)
    target = last_features(steps).name
    behind = dependents(steps, [target])
    # where a skip leads around the features, what it carries is held as it is
    inputs = [target, *(name for name in crossing(steps, behind) if name != target)]
    outputs = part_of_network(network, inputs)(images)
    tensors = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    behind_steps = [step for step in steps if step.name in behind]

    def logits(features):
        values = dict(zip(inputs, [features, *tensors[1:]], strict=True))
        return apply_steps(network, behind_steps, values, _without_sigmoid(steps[-1]))[
            steps[-1].name
        ]

    gradients = _gradient(logits, tensors[0])
    return keras.ops.convert_to_numpy(tensors[0]), keras.ops.convert_to_numpy(gradients)


def _without_sigmoid(last: Step) -> Callable:
    def replace(step, layer, inputs):
        if step is not last:
            return None
        return keras.ops.matmul(inputs, layer.kernel) + layer.bias

    return replace


def _gradient(function: Callable, tensor):
    """Return the gradient of the sum of a function, by the backend's own differentiation."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            result = function(tensor)
        return tape.gradient(result, tensor)
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda values: function(values).sum())(tensor)
    variable = tensor.detach().requires_grad_()
    function(variable).sum().backward()
    return variable.grad


def _of_one_size(maps: np.ndarray) -> np.ndarray:
    """Return what is positive in maps (N, H, W), interpolated to 16x16 where they are not."""
    maps = np.maximum(maps, 0).astype(np.float32)
    if maps.shape[1:] == (SIDE, SIDE):
        return maps
    resized = [
        np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for one in maps
    ]
    return np.array(resized, np.float32).reshape(-1, SIDE, SIDE)
