"""Grad-CAM: which part of a cutout speaks for an LSBG (Selvaraju et al. 2017, ICCV, 618).

The paper's explanation of the network (Tanoglidis et al. 2021, section 4.4): artifacts light up
off-centre, LSBGs at the centre.
"""

import keras
import numpy as np


def heat_maps(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return what each part of the last convolutional layer adds to the logit.

    Behind that layer the network is batch normalisation, pooling, and two dense layers, so the
    gradient that Grad-CAM averages over the image has a closed form, and no backend's automatic
    differentiation is needed.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    images : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of float32, shape (N, 16, 16)
        At least 0; row 0 at the top. All zero where nothing speaks for an LSBG.
    """
    features, to_pooled, slope = _gradients(network, images)
    height, width = features.shape[1:3]
    share = to_pooled.sum(axis=(1, 2)) * slope / (height * width)
    return np.maximum(np.einsum("nhwc,nc->nhw", features, share), 0).astype(np.float32)


def contribution_maps(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return what each place of the last convolutional layer adds to the logit, where it is.

    Grad-CAM averages the gradient over the image before it multiplies, so that a network that
    weighs places differently, as this one does with its dense layer, often gets an empty map.
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
        At least 0; row 0 at the top.
    """
    features, to_pooled, slope = _gradients(network, images)
    count, height, width, channels = to_pooled.shape
    blocks = features.reshape(count, height, 2, width, 2, channels)
    normalised = blocks * slope
    passes = normalised == normalised.max(axis=(2, 4), keepdims=True)
    gradient = passes * (to_pooled * slope)[:, :, None, :, None]
    maps = (blocks * gradient).sum(axis=-1).reshape(count, 2 * height, 2 * width)
    return np.maximum(maps, 0).astype(np.float32)


def _gradients(network: keras.Model, images: np.ndarray):
    """Return features, the gradient of the logit to what is pooled of them, and the slope between.

    Shapes (N, 16, 16, 64), (N, 8, 8, 64) and (64,).
    """
    *_, convolution, normalisation, pooling, _, _, hidden, last = network.layers
    partial = keras.Model(network.inputs[0], [convolution.output, hidden.output])
    features, hidden_values = (
        keras.ops.convert_to_numpy(output)
        for output in partial(images * np.float32(1 / 255), training=False)
    )
    to_hidden = np.asarray(last.kernel)[:, 0] * (hidden_values > 0)
    to_flat = to_hidden @ np.asarray(hidden.kernel).T
    to_pooled = to_flat.reshape(-1, *pooling.output.shape[1:])
    deviation = np.sqrt(np.asarray(normalisation.moving_variance) + normalisation.epsilon)
    slope = np.asarray(normalisation.gamma) / deviation
    return features, to_pooled, slope
