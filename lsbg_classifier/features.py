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
    centre = features.mean(axis=0) if len(features) else np.zeros(features.shape[1], np.float32)
    _, spreads, directions = np.linalg.svd(features - centre, full_matrices=False)
    usual = spreads / np.sqrt(max(len(features), 1))
    kept = np.zeros((features.shape[1], dimensions), np.float32)
    for number, (direction, spread) in enumerate(zip(directions, usual, strict=True)):
        if number < dimensions and spread > 1e-5 * max(usual[0], 1e-12):
            # the sign of a direction is of no meaning: the largest part is made positive
            sign = np.sign(direction[np.argmax(np.abs(direction))])
            kept[:, number] = sign * direction / (spread * STEP)
    return Projection(centre.astype(np.float32), kept)
