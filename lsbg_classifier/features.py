"""How the network sees cutouts, in few bytes: for neighbours among millions, and for the report.

The values that the last layer of a network weighs (1024 with DeepShadows) lie close to a space of
few dimensions. Sixteen directions, those in which the candidates of a catalog differ most, each
divided by its spread, are kept as whole numbers of one byte: 16 MB for a million candidates.
"""

from dataclasses import dataclass

import numpy as np

DIMENSIONS = 16
"""Values that are kept of each candidate."""

STEP = 1 / 16
"""Size of one unit of a kept value, in spreads of its direction."""

_LARGEST = 127

_FITTED = 8192
"""Candidates of which the directions are found."""

_SEED = 20211


@dataclass(frozen=True)
class Projection:
    """From the network's features to the values that are kept.

    Attributes
    ----------
    centre : array of float32, shape (M,)
    directions : array of float32, shape (M, D)
        Divided by the spread in each of them, and by `STEP`.
    """

    centre: np.ndarray
    directions: np.ndarray

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Return what is kept of features: (N, M) float32 to (N, D) int8.

        What lies more than 7.9 spreads from the mean counts as that far.
        """
        values = (features - self.centre) @ self.directions
        return np.rint(np.clip(values, -_LARGEST, _LARGEST)).astype(np.int8)


def fitted_rows(rows: np.ndarray) -> np.ndarray:
    """Choose the candidates of which the directions are found: the same of the same catalog.

    Parameters
    ----------
    rows : array of int64, shape (N,)
        Of all candidates with a cutout, in any order; each once.

    Returns
    -------
    array of int64, shape (K,)
        All of them, ascending, or 8,192 that are drawn at random from more.
    """
    rows = np.sort(rows)
    if len(rows) <= _FITTED:
        return rows
    rng = np.random.default_rng(_SEED)
    return np.sort(rng.choice(rows, _FITTED, replace=False))


def fit_projection(features: np.ndarray, dimensions: int = DIMENSIONS) -> Projection:
    """Find the directions in which features differ most.

    Parameters
    ----------
    features : array of float32, shape (N, M)
        Of some thousand candidates; fewer give fewer directions.
    dimensions : int
        Directions wanted; those without any spread are zero.

    Returns
    -------
    Projection
    """
    features = np.asarray(features, np.float64)  # so that the order of candidates is of no meaning
    count = max(len(features), 1)
    centre = features.sum(axis=0) / count
    variances, directions = np.linalg.eigh((features - centre).T @ (features - centre) / count)
    kept = np.zeros((len(centre), dimensions), np.float32)
    for number in range(min(dimensions, len(centre))):
        variance, direction = variances[-1 - number], directions[:, -1 - number]
        if variance > 1e-10 * max(variances[-1], 1e-24):
            # the sign of a direction is of no meaning: the largest part is made positive
            sign = np.sign(direction[np.argmax(np.abs(direction))])
            kept[:, number] = sign * direction / (np.sqrt(variance) * STEP)
    return Projection(centre.astype(np.float32), kept)
