"""Tell cutouts that look unlike those a weight set has seen: other stretch, scale or bands.

Seventeen statistics describe the sky of a cutout rather than what is in it: how noisy each channel
is, how the noise is correlated from pixel to pixel and from channel to channel, and where the sky
lies. A quadratic form of them tells right cutouts from wrongly made ones; it is fitted together
with the weights (`lsbg_classifier.training.likeness`) and lies in the same file.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from catalogs.errors import InputError

STATISTICS = 17
"""How many numbers `statistics` makes of a cutout."""

_GROUP = "likeness"
_BRIGHT, _CLIPPED = 20.0, 15.0
"""Differences between pixels are taken for at most this much: the rest is sources, not noise."""

_BRIGHT_SKY = 64.0
"""Pixels are taken for at most this bright in the mean level."""

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
        """Say how wrongly made cutouts look: large is wrong.

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
    """Return 1 and the standardised statistics of each cutout, shape (N, 18)."""
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
    planes = np.ascontiguousarray(np.moveaxis(cutouts, -1, 1)).astype(np.float32)
    sides = planes[..., 1:-1, :-2] + planes[..., 1:-1, 2:]
    peak = planes[..., 1:-1, 1:-1] - (sides + planes[..., :-2, 1:-1] + planes[..., 2:, 1:-1]) / 4
    noise = _mean_size(peak)
    near, far = (_mean_size(planes[..., lag:] - planes[..., :-lag]) for lag in (1, 2))
    flat = np.clip(peak, -_CLIPPED, _CLIPPED).reshape(*peak.shape[:2], np.prod(peak.shape[2:]))
    flat -= flat.mean(axis=2, keepdims=True)
    products = flat @ flat.swapaxes(1, 2) / flat.shape[2]
    spread = np.sqrt(np.einsum("nii->ni", products)) + 1e-3
    correlation = products / (spread[:, :, None] * spread[:, None, :])
    return np.column_stack(
        [
            np.log(noise),
            np.log(far / near),
            np.log(noise / near),
            np.minimum(planes, _BRIGHT_SKY).mean(axis=(2, 3)),
            correlation[:, 0, 1],
            correlation[:, 1, 2],
            correlation[:, 0, 2],
            np.log(noise[:, 0] / noise[:, 2]),
            np.log(noise[:, 0] / noise[:, 1]),
        ]
    ).astype(float)


def _mean_size(differences: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference in each channel, shape (N, 3), never quite zero."""
    return np.minimum(abs(differences), _BRIGHT).mean(axis=(2, 3)) + 0.1
