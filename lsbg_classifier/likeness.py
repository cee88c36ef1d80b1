"""Tell cutouts that look unlike those a weight set has seen: other stretch, scale or bands.

Seventeen statistics describe the sky of a cutout rather than what is in it: how noisy each channel
is, how the noise is correlated from pixel to pixel and from channel to channel, and where the sky
lies. A quadratic form of them tells right cutouts from wrongly made ones; it is fitted together
with the weights (`lsbg_classifier.training.likeness_fit`) and lies in the same file.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.compiled import compiled

STATISTICS = 17
"""How many numbers `statistics` makes of a cutout."""

_GROUP = "likeness"
_BRIGHT, _CLIPPED = 20, 15
"""Differences between pixels are taken for at most this much: the rest is sources, not noise."""

_BRIGHT_SKY = 64
"""Pixels are taken for at most this bright in the mean level."""

_LEAST = 0.1
"""Added to mean differences, so that their logarithm exists."""

_FARTHEST = 8.0
"""Statistics that lie farther from the usual, in their standard deviations, count as this far."""


@dataclass(frozen=True)
class Likeness:
    """The check that belongs to a weight set.

    Attributes
    ----------
    centre, scale : array of float, shape (17,)
        Mean and standard deviation of the statistics of right cutouts.
    form : array of float, shape (18, 18)
        Quadratic form of 1 and the standardised statistics.
    threshold : float
        Cutouts that score above this are unlike those trained on.
    """

    centre: np.ndarray
    scale: np.ndarray
    form: np.ndarray
    threshold: float

    def score(self, cutouts: np.ndarray) -> np.ndarray:
        """Return how unlike the training set cutouts look; large values mean unlike.

        Parameters
        ----------
        cutouts : array of uint8, shape (N, 64, 64, 3)

        Returns
        -------
        array of float64, shape (N,)
        """
        vectors = standardised(statistics(cutouts), self.centre, self.scale)
        return np.einsum("ni,ij,nj->n", vectors, self.form, vectors)

    def unlike(self, cutouts: np.ndarray) -> np.ndarray:
        """Tell which cutouts are unlike those trained on; array of bool, shape (N,)."""
        return self.score(cutouts) > self.threshold

    def save(self, path: Path):
        """Add the check to a file of weights."""
        with h5py.File(path, "a") as file:
            group = file.create_group(_GROUP)
            for name in ("centre", "scale", "form"):
                group[name] = getattr(self, name).astype(np.float32)
            group.attrs["threshold"] = float(self.threshold)


def load_likeness(path: Path) -> Likeness | None:
    """Read the check from a file of weights; None where there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    names = {"centre": (STATISTICS,), "scale": (STATISTICS,), "form": (STATISTICS + 1,) * 2}
    try:
        with h5py.File(path) as file:
            if _GROUP not in file:
                return None
            group = file[_GROUP]
            parts = {name: np.asarray(group[name][()], float) for name in names}
            threshold = float(group.attrs["threshold"])
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the check of likeness is damaged ({error})") from error
    for name, shape in names.items():
        if parts[name].shape != shape or not np.isfinite(parts[name]).all():
            raise InputError(f"{path}: the check of likeness is damaged ({name})")
    return Likeness(**parts, threshold=threshold)


def standardised(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the standardised statistics of cutouts, with a column of ones before them.

    Parameters
    ----------
    values : array of float, shape (N, 17)
        Statistics of the cutouts.
    centre, scale : array of float, shape (17,)
        Usual value and spread of each statistic.

    Returns
    -------
    array of float64, shape (N, 18)
        The first column is 1.
    """
    usual = np.clip((values - centre) / scale, -_FARTHEST, _FARTHEST)
    return np.concatenate([np.ones((len(values), 1)), usual], axis=1)


def statistics(cutouts: np.ndarray) -> np.ndarray:
    """Describe the sky of cutouts.

    Parameters
    ----------
    cutouts : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of float64, shape (N, 17)
        For red, green, blue: logarithm of the mean difference of a pixel from its four neighbours;
        that of pixels two apart relative to neighbours; that of the first to the latter; level.
        Then the correlation of the difference between the channels, and its ratio, as a logarithm,
        of red to blue and to green.
    """
    side = cutouts.shape[1]
    inner = (side - 2) ** 2
    sums, products = np.zeros((len(cutouts), 5, 3)), np.zeros((len(cutouts), 3, 3))
    _add_up(np.ascontiguousarray(cutouts), sums, products)
    peaks, near, far, level, mean = sums.swapaxes(0, 1)
    noise = peaks / 4 / inner + _LEAST
    near = near / (side * (side - 1)) + _LEAST
    far = far / (side * (side - 2)) + _LEAST
    mean = mean / 4 / inner
    products = products / 16 / inner - mean[:, :, None] * mean[:, None, :]
    spread = np.sqrt(np.einsum("nii->ni", products)) + 1e-3
    correlation = products / (spread[:, :, None] * spread[:, None, :])
    return np.column_stack(
        [
            np.log(noise),
            np.log(far / near),
            np.log(noise / near),
            level / side**2,
            correlation[:, 0, 1],
            correlation[:, 1, 2],
            correlation[:, 0, 2],
            np.log(noise[:, 0] / noise[:, 2]),
            np.log(noise[:, 0] / noise[:, 1]),
        ]
    )


@compiled
def _add_up(cutouts, sums, products):
    """Sum over each cutout, in whole numbers, what its statistics are made of.

    `sums`, shape (N, 5, 3): differences of pixels from their four neighbours (times 4), from the
    next one and the next but one in the row, levels, and signed differences from the four (times
    4); `products`, shape (N, 3, 3): products of the latter between channels.
    """
    side = cutouts.shape[1]
    plane = np.empty((3, side, side), np.int32)
    peaks = np.empty((3, side - 2), np.int32)
    bright, sky, clipped = np.int32(_BRIGHT), np.int32(_BRIGHT_SKY), np.int32(4 * _CLIPPED)
    for n in range(len(cutouts)):
        for row in range(side):
            for column in range(side):
                for channel in range(3):
                    plane[channel, row, column] = cutouts[n, row, column, channel]
        for channel in range(3):
            for row in range(side):
                line = plane[channel, row]
                near, far, level = 0, 0, 0
                for column in range(side):
                    level += min(line[column], sky)
                for column in range(side - 1):
                    near += min(abs(line[column + 1] - line[column]), bright)
                for column in range(side - 2):
                    far += min(abs(line[column + 2] - line[column]), bright)
                sums[n, 1, channel] += near
                sums[n, 2, channel] += far
                sums[n, 3, channel] += level
        for row in range(1, side - 1):
            for channel in range(3):
                above, line, below = plane[channel, row - 1 : row + 2]
                size, signed = 0, 0
                for column in range(side - 2):
                    around = line[column] + line[column + 2]
                    around += above[column + 1] + below[column + 1]
                    peak = 4 * line[column + 1] - around
                    size += min(abs(peak), 4 * bright)
                    peaks[channel, column] = min(max(peak, -clipped), clipped)
                    signed += peaks[channel, column]
                sums[n, 0, channel] += size
                sums[n, 4, channel] += signed
            for one in range(3):
                for other in range(3):
                    total = 0
                    for column in range(side - 2):
                        total += peaks[one, column] * peaks[other, column]
                    products[n, one, other] += total
