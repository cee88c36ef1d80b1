"""Batches of cutouts for training: uint8 until the batch, shuffled by seed and epoch."""

from dataclasses import dataclass

import keras
import numpy as np
from scipy import ndimage

from lsbg_classifier.cutouts.colours import colours_of_fluxes, scaled_fluxes_of_colours
from lsbg_classifier.training.label_noise import labelled_part

_SKY = np.float32(32 / 255)
"""What the viewer's formula makes of empty sky."""


@dataclass(frozen=True)
class Augmentation:
    """Changes of a cutout that the sky and the survey would allow.

    Attributes
    ----------
    turn : bool
        One of the eight symmetries of the square, at random.
    noise : float
        Largest RMS of white noise added, in units of the full range; drawn evenly from 0.
    blur : float
        Largest width in pixels of a Gaussian that half of the cutouts are blurred with.
    gain : float
        RMS of the relative change of each channel's distance from the sky level.
    lost : float
        Part of the cutouts that lose one band, two or all; those count as no LSBGs.
    blank : float
        Part of those that become one grey all over instead.
    star : float
        Part of the cutouts that get a saturated star in the middle; those count as no LSBGs.
    """

    turn: bool = True
    noise: float = 4 / 255
    blur: float = 0.8
    gain: float = 0.05
    lost: float = 0.06
    blank: float = 0.0
    star: float = 0.0

    def apply(
        self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change images and labels.

        Parameters
        ----------
        images : array of float32, shape (N, 64, 64, 3)
            In [0, 1].
        labels : array of float32, shape (N,)
        rng : numpy.random.Generator

        Returns
        -------
        images, labels
            New arrays of the same shapes.
        """
        images, labels = images.copy(), labels.copy()
        for row in np.flatnonzero(rng.random(len(images)) < self.lost):
            blank = rng.random() < self.blank
            images[row] = _grey(rng) if blank else _without_bands(images[row], rng)
            labels[row] = 0
        for row in np.flatnonzero(rng.random(len(images)) < self.star):
            images[row], labels[row] = _with_star(images[row], rng), 0
        return self._disturbed(images, rng), labels

    def _disturbed(self, images, rng):
        changed = np.stack([self._apply_to_one(image, rng) for image in images])
        gain = 1 + self.gain * rng.standard_normal((len(images), 1, 1, 3), dtype=np.float32)
        level = rng.uniform(0, self.noise, (len(images), 1, 1, 1)).astype(np.float32)
        noise = rng.standard_normal(changed.shape, dtype=np.float32)
        return np.clip(_SKY + (changed - _SKY) * gain + level * noise, 0, 1)

    def _apply_to_one(self, image, rng):
        if self.turn:
            image = np.rot90(image, rng.integers(4))
            image = image[:, ::-1] if rng.random() < 0.5 else image
        if rng.random() < 0.5:
            width = rng.uniform(0, self.blur)
            image = ndimage.gaussian_filter(image, (width, width, 0), truncate=3)
        return image


def _without_bands(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour an image, (64, 64, 3) in [0, 1], as if one to three of its bands had no data."""
    fluxes = scaled_fluxes_of_colours(image * np.float32(255))[..., ::-1]
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    fluxes[..., rng.permutation(3)[:count]] = 0
    return colours_of_fluxes(np.moveaxis(fluxes, -1, 0), (1.0, 1.0, 1.0)) / np.float32(255)


def _grey(rng: np.random.Generator) -> float:
    """Return a level of grey: black, empty sky, white, or any."""
    return float(rng.choice([0.0, float(_SKY), 1.0, rng.random()]))


def _with_star(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a star near the middle, of which some channels are saturated and others have failed."""
    radius = rng.uniform(3, 20)
    rows, columns = np.mgrid[:64, :64] - 31.5 - rng.normal(0, 3, (2, 1, 1))
    distance = np.hypot(rows, columns)
    glow = rng.uniform(0.3, 1.2) * np.exp(-((distance / (radius * rng.uniform(1, 2))) ** 2))
    changed = image + glow[..., None] * rng.uniform(0.5, 1, 3)
    white = rng.random() < 0.3
    changed[distance < radius] = 1 if white else rng.random(3) < 0.65
    return np.clip(changed, 0, 1).astype(np.float32)


class _Beside:
    """Cutouts of another sample, drawn as many of each class."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        self._images = images
        self._labels = labels.astype(np.float32)
        self._classes = [np.flatnonzero(labels == value) for value in np.unique(labels)]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 images and float32 labels of so many cutouts at random."""
        kinds = len(self._classes)
        counts = [(count + number) // kinds for number in range(kinds)]
        drawn = [rng.choice(rows, n) for rows, n in zip(self._classes, counts, strict=True)]
        rows = np.concatenate(drawn)
        return self._images[rows], self._labels[rows]


@dataclass(frozen=True)
class TrainingSample:
    """The cutouts that a network is trained on.

    Attributes
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not.
    strata : array of int, shape (N,), optional
        Kinds within a class. Where as many of each class are drawn, as many of each of its kinds
        are drawn too, as far as they go.
    beside : (images, labels), optional
        Cutouts that half of every batch is drawn from, as many of each class.
    unlabelled : float
        Fraction of the others that are LSBGs which nobody has labelled; see `label_noise`.
    """

    images: np.ndarray
    labels: np.ndarray
    strata: np.ndarray | None = None
    beside: tuple[np.ndarray, np.ndarray] | None = None
    unlabelled: float = 0.0

    def labelled_part(self, *, balanced: bool) -> float:
        """Return which part of the true LSBGs in a batch carries the label.

        Parameters
        ----------
        balanced : bool
            Whether as many of each class are drawn.

        Returns
        -------
        float
            In (0, 1].
        """
        if not self.unlabelled:
            return 1.0
        lsbgs = 0.5 if balanced else float(self.labels.mean())
        if self.beside is None:
            return labelled_part(lsbgs, self.unlabelled)
        # the other half of every batch has as many of each class, and no such labels
        both = (lsbgs + 0.5) / 2
        return labelled_part(both, self.unlabelled * (1 - lsbgs) / 2 / (1 - both))


class Batches(keras.utils.PyDataset):
    """Shuffled batches of the epoch that `start` was called for last.

    The order follows from the seed and the number of the epoch alone, so that a training that
    goes on after a stop sees what it would have seen.

    Parameters
    ----------
    sample : TrainingSample
    batch : int
        Cutouts a step; the last step of an epoch may have fewer.
    seed : int
    balance : bool
        Draw as many of each class in every epoch, all of the rarer one.
    augmentation : Augmentation, optional
    """

    def __init__(
        self,
        sample: TrainingSample,
        *,
        batch: int,
        seed: int,
        balance: bool = False,
        augmentation: Augmentation | None = None,
    ):
        super().__init__()
        self._images = sample.images
        self._labels = sample.labels.astype(np.float32)
        self._batch = batch if sample.beside is None else batch // 2
        self._beside = None if sample.beside is None else _Beside(*sample.beside)
        self._seed = seed
        self._balance = balance
        self._strata = np.zeros(len(self._labels), int) if sample.strata is None else sample.strata
        self._augmentation = augmentation
        self.start(0)

    def __len__(self):
        """Count the steps of an epoch."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, step):
        """Return float32 images in [0, 1], shape (n, 64, 64, 3), and labels, shape (n,)."""
        rows = self._order[step * self._batch : (step + 1) * self._batch]
        images, labels = self._images[rows], self._labels[rows]
        rng = np.random.default_rng([self._seed, self._epoch, step])
        if self._beside is not None:
            others = self._beside.draw(len(rows), rng)
            images, labels = (
                np.concatenate(pair) for pair in zip((images, labels), others, strict=True)
            )
        images = images * np.float32(1 / 255)
        if self._augmentation is not None:
            images, labels = self._augmentation.apply(images, labels, rng)
        return images, labels

    def start(self, epoch: int):
        """Shuffle for an epoch, counted from 0."""
        self._epoch = epoch
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng([self._seed, self._epoch])
        if not self._balance:
            return rng.permutation(len(self._labels))
        classes = [np.flatnonzero(self._labels == value) for value in np.unique(self._labels)]
        each = min(len(rows) for rows in classes)
        return rng.permutation(np.concatenate([self._drawn(rows, each, rng) for rows in classes]))

    def _drawn(self, rows, count, rng) -> np.ndarray:
        """Draw so many of some rows, as evenly from their strata as these allow."""
        strata = self._strata[rows]
        kinds = [rng.permutation(rows[strata == kind]) for kind in np.unique(strata)]
        kinds.sort(key=len)
        drawn: list[np.ndarray] = []
        for number, kind in enumerate(kinds):
            share = -(-(count - sum(map(len, drawn))) // (len(kinds) - number))
            drawn.append(kind[:share])
        return np.concatenate(drawn)
