"""Training on a mixture: so many cutouts of each source in every batch, real ones strongly varied.

What a few hundred real cutouts can teach is soon learned by heart. So each is turned by any angle,
moved, resized and made brighter or fainter before the usual augmentation, most of every batch are
drawn scenes, and the weights that are kept are a mean over the second half of the training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from lsbg_classifier.training.alignment import Unlabelled, aligned
from lsbg_classifier.training.batches import Augmentation
from lsbg_classifier.training.variation import Variation

REAL = Variation(warped=0.6)
"""For labelled real cutouts."""

SCENE = Variation(warped=0.3, flux=0.1)
"""For scenes, of which there are many."""

AUGMENTATION = Augmentation(lost=0.12, blank=0.15, star=0.03)
"""What all cutouts of a batch go through after that."""


@dataclass(frozen=True)
class Teacher:
    """What is learned in place of labels (distillation; Hinton et al. 2015, arXiv:1503.02531).

    Attributes
    ----------
    probabilities : callable
        Gives those of a batch, float32 in [0, 1] of shape (N, 64, 64, 3): an array of shape (N,).
    share : float
        How much they count beside the labels, in [0, 1]. Less than 1 trusts labels in part, as
        where some are wrong or lie at the border (soft bootstrapping; Reed et al. 2015,
        arXiv:1412.6596).
    """

    probabilities: Callable[[np.ndarray], np.ndarray]
    share: float = 1.0

    def instead_of(self, labels: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Return what is learned of a batch.

        Parameters
        ----------
        labels : array of float, of N values
        images : array of float32 in [0, 1], shape (N, 64, 64, 3)

        Returns
        -------
        array of float
            Shaped as the labels are.
        """
        found = self.probabilities(images).reshape(labels.shape)
        return self.share * found + (1 - self.share) * labels


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
    weights : array of float, shape (N,), optional
        How often each is drawn, beside the others of its class; none: all as often.
    """

    images: np.ndarray
    labels: np.ndarray
    count: int
    variation: Variation
    weights: np.ndarray | None = None

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return varied cutouts, float32 in [0, 1], and their labels."""
        lsbgs = (self.count + int(rng.integers(2))) // 2
        rows = np.concatenate([self._rows(1, lsbgs, rng), self._rows(0, self.count - lsbgs, rng)])
        return self.variation.apply(self.images[rows], rng), self.labels[rows]

    def _rows(self, label: int, count: int, rng: np.random.Generator) -> np.ndarray:
        rows = np.flatnonzero(self.labels == label)
        weights = None if self.weights is None else self.weights[rows] / self.weights[rows].sum()
        return rng.choice(rows, count, p=weights)


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
    unlabelled: Unlabelled | None = None,
    teacher: Teacher | None = None,
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
    unlabelled : Unlabelled, optional
        Cutouts that the network should see as it sees those of the sources.
    teacher : Teacher, optional
        Its probabilities are learned in place of labels.

    Returns
    -------
    keras.Model
        The network.
    """
    trainer = _compiled(network, course, unlabelled)
    rng = np.random.default_rng(seed)
    mean, count = [np.zeros_like(weights, np.float64) for weights in network.get_weights()], 0
    for step in range(course.steps):
        images, labels = _batch(sources, unlabelled, rng)
        if teacher is not None:
            labels = teacher.instead_of(labels, images)
        trainer.train_on_batch(images, labels)
        if step >= course.steps / 2 and step % 5 == 0:
            count += 1
            for total, weights in zip(mean, network.get_weights(), strict=True):
                total += (weights - total) / count
        if progress is not None:
            progress(step + 1, course.steps)
    if count:
        network.set_weights([weights.astype(np.float32) for weights in mean])
    return network


def _batch(
    sources: Sequence[Source], unlabelled: Unlabelled | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels; the unlabelled come last, with labels that count for nothing."""
    drawn = [source.draw(rng) for source in sources]
    images, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    images, labels = AUGMENTATION.apply(images, labels.astype(np.float32), rng)
    if unlabelled is None:
        return images, labels
    nothing, others = np.zeros(unlabelled.count, np.float32), unlabelled.draw(rng)
    if unlabelled.distance != "consistency":  # a blank cutout is not what it was
        others, _ = AUGMENTATION.apply(others, nothing, rng)
    return np.concatenate([images, others]), np.concatenate([labels, nothing])[:, None]


def _compiled(network: keras.Model, course: Course, unlabelled: Unlabelled | None) -> keras.Model:
    """Return the model to train: with an optimiser and a loss, its normalisation kept as it is."""
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
    model = network if unlabelled is None else aligned(network, unlabelled, loss)
    model.compile(keras.optimizers.Adam(rate), loss if unlabelled is None else None)
    return model
