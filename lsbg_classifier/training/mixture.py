"""Training on a mixture: so many cutouts of each source in every batch, real ones strongly varied.

What a few hundred real cutouts can teach is soon learned by heart. So each is turned by any angle,
moved, resized and made brighter or fainter before the usual augmentation, most of every batch are
drawn scenes, and the weights that are kept are a mean over the second half of the training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from scipy import ndimage

from lsbg_classifier.cutouts.colours import colours_of_fluxes, scaled_fluxes_of_colours
from lsbg_classifier.training.batches import Augmentation

_MIDDLE = 31.5
"""Pixel of a cutout's middle."""

_SATURATED = 0.97
"""Channel value above which the flux of a pixel is not known."""


@dataclass(frozen=True)
class Variation:
    """How far the sky allows a cutout to differ from itself.

    Attributes
    ----------
    warped : float
        Part of the cutouts that are turned by any angle, mirrored, resized and moved.
    zoom : float
        Largest change of the logarithm of the size.
    shift : float
        Twice the RMS of the movement along each axis, in pixels.
    flux : float
        RMS of the logarithm of the factor on all fluxes, of half of the cutouts.
    """

    warped: float
    zoom: float = 0.15
    shift: float = 2.0
    flux: float = 0.15

    def apply(self, cutouts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Vary cutouts.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)
        rng : numpy.random.Generator

        Returns
        -------
        array of float32, shape (N, 64, 64, 3)
            In [0, 1].
        """
        images = cutouts.astype(np.float32) / 255
        for image in images:
            if rng.random() < self.warped:
                image[:] = self._warp(image, rng)
        factors = np.exp(rng.normal(0, self.flux, (len(images), 1, 1, 1))).astype(np.float32)
        changed = rng.random(len(images)) < 0.5
        if changed.any():
            images[changed] = _brightened(images[changed], factors[changed])
        return images

    def _warp(self, image, rng):
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn / np.exp(rng.uniform(-self.zoom, self.zoom))
        if rng.random() < 0.5:
            matrix[:, 1] *= -1
        middle = np.full(2, _MIDDLE)
        offset = middle - matrix @ (middle + rng.normal(0, self.shift / 2, 2))
        planes = [
            ndimage.affine_transform(image[..., band], matrix, offset, order=1, mode="reflect")
            for band in range(3)
        ]
        return np.stack(planes, axis=-1)


def _brightened(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply fluxes, but for saturated pixels."""
    fluxes = scaled_fluxes_of_colours(images * 255) * factors
    planes = np.ascontiguousarray(np.moveaxis(fluxes[..., ::-1], -1, 1))
    coloured = colours_of_fluxes(planes, (1.0, 1.0, 1.0)) / np.float32(255)
    return np.where(images.max(axis=-1, keepdims=True) > _SATURATED, images, coloured)


REAL = Variation(warped=0.6)
"""For labelled real cutouts."""

SCENE = Variation(warped=0.3, flux=0.1)
"""For scenes, of which there are many."""

AUGMENTATION = Augmentation(lost=0.12, blank=0.15, star=0.03)
"""What all cutouts of a batch go through after that."""


@dataclass(frozen=True)
class Source:
    """Labelled cutouts, and how many of them are in each batch.

    Attributes
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not; both must be there.
    count : int
        Cutouts in each batch, half of them LSBGs.
    variation : Variation
    """

    images: np.ndarray
    labels: np.ndarray
    count: int
    variation: Variation

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return varied cutouts, float32 in [0, 1], and their labels."""
        lsbgs = (self.count + rng.integers(2)) // 2
        chosen = [
            rng.choice(np.flatnonzero(self.labels == 1), lsbgs),
            rng.choice(np.flatnonzero(self.labels == 0), self.count - lsbgs),
        ]
        rows = np.concatenate(chosen)
        return self.variation.apply(self.images[rows], rng), self.labels[rows]


@dataclass(frozen=True)
class Course:
    """How long and how fast a mixture is trained on.

    Attributes
    ----------
    steps : int
    learning_rate : float
        The highest, after a twentieth of the steps; it falls along a cosine to a tenth.
    label_smoothing : float
    """

    steps: int
    learning_rate: float = 2e-4
    label_smoothing: float = 0.05


def train_on_mixture(
    network: keras.Model,
    sources: Sequence[Source],
    course: Course,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> keras.Model:
    """Go on training a network; batch normalisation keeps its statistics.

    Parameters
    ----------
    network : keras.Model
        Of two classes; changed in place. It gets the mean of the weights after every fifth step of
        the second half.
    sources : sequence of Source
    course : Course
    seed : int
        Of the batches.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    keras.Model
        The network.
    """
    _compile(network, course)
    rng = np.random.default_rng(seed)
    mean, count = [np.zeros_like(weights, np.float64) for weights in network.get_weights()], 0
    for step in range(course.steps):
        network.train_on_batch(*_batch(sources, rng))
        if step >= course.steps / 2 and step % 5 == 0:
            count += 1
            for total, weights in zip(mean, network.get_weights(), strict=True):
                total += (weights - total) / count
        if progress is not None:
            progress(step + 1, course.steps)
    if count:
        network.set_weights([weights.astype(np.float32) for weights in mean])
    return network


def _batch(sources: Sequence[Source], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    drawn = [source.draw(rng) for source in sources]
    images, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return AUGMENTATION.apply(images, labels.astype(np.float32), rng)


def _compile(network: keras.Model, course: Course):
    """Give the network its optimiser and its loss, and keep its normalisation as it is."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        course.steps,
        alpha=0.1,
        warmup_target=course.learning_rate,
        warmup_steps=max(course.steps // 20, 1),
    )
    loss = keras.losses.BinaryCrossentropy(label_smoothing=course.label_smoothing)
    network.compile(keras.optimizers.Adam(rate), loss)
