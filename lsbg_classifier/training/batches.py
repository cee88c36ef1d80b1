"""Batches of cutouts for training: uint8 until the batch, shuffled by seed and epoch."""

from dataclasses import dataclass

import keras
import numpy as np
from scipy import ndimage

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
    """

    turn: bool = True
    noise: float = 4 / 255
    blur: float = 0.8
    gain: float = 0.05

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change float32 images in [0, 1], shape (N, 64, 64, 3), each in its own way."""
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


class Batches(keras.utils.PyDataset):
    """Shuffled batches of the epoch that `start` was called for last.

    The order follows from the seed and the number of the epoch alone, so that a training that
    goes on after a stop sees what it would have seen.

    Parameters
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not.
    batch : int
        Cutouts a step; the last step of an epoch may have fewer.
    seed : int
    balance : bool
        Draw as many of each class in every epoch, all of the rarer one.
    augmentation : Augmentation, optional
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        batch: int,
        seed: int,
        balance: bool = False,
        augmentation: Augmentation | None = None,
    ):
        super().__init__()
        self._images = images
        self._labels = labels.astype(np.float32)
        self._batch = batch
        self._seed = seed
        self._balance = balance
        self._augmentation = augmentation
        self.start(0)

    def __len__(self):
        """Count the steps of an epoch."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, step):
        """Return float32 images in [0, 1], shape (n, 64, 64, 3), and labels, shape (n,)."""
        rows = self._order[step * self._batch : (step + 1) * self._batch]
        images = self._images[rows] * np.float32(1 / 255)
        if self._augmentation is not None:
            rng = np.random.default_rng([self._seed, self._epoch, step])
            images = self._augmentation.apply(images, rng)
        return images, self._labels[rows]

    def start(self, epoch: int):
        """Shuffle for an epoch, counted from 0."""
        self._epoch = epoch
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng([self._seed, self._epoch])
        if not self._balance:
            return rng.permutation(len(self._labels))
        classes = [rng.permutation(np.flatnonzero(self._labels == value)) for value in (0, 1)]
        each = min(len(rows) for rows in classes)
        return rng.permutation(np.concatenate([rows[:each] for rows in classes]))
