"""Sampling of images that are turned by any angle, or slanted."""

import numpy as np

from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.pixels import INNER, MIDDLE, OUTER, REACH, check_room, weigh_pair
from lsbg_classifier.surveys import VIEWER_SIZE


@compiled
def resample_turned(patch, affine, sampled):
    """Sample a patch on the viewer's grid by the sum over 6x6 pixels: for any affine map.

    As `resample`, which is several times as fast, but needs rotations to be small. Compiled code.

    Parameters
    ----------
    patch : array of float32, shape (bands, height, width)
    affine : array of float, shape (2, 3)
    sampled : array of float32, shape (bands, side, side)
        As in `resample`.

    Raises
    ------
    ValueError
        If the patch does not hold the grid and the three pixels around it that the kernel reaches.
    """
    bands, height, width = patch.shape
    side = sampled.shape[2]
    check_room(width, affine[0, 0], affine[0, 1], affine[0, 2])
    check_room(height, affine[1, 0], affine[1, 1], affine[1, 2])
    size = VIEWER_SIZE / side
    across, along = np.empty(2 * REACH, np.float32), np.empty(2 * REACH, np.float32)
    for row in range(side):
        up = (VIEWER_SIZE - size) / 2 - row * size
        for column in range(side):
            right = (size - VIEWER_SIZE) / 2 + column * size
            x = affine[0, 0] + affine[0, 1] * right + affine[0, 2] * up
            y = affine[1, 0] + affine[1, 1] * right + affine[1, 2] * up
            left = min(max(int(np.floor(x)), REACH - 1), width - 1 - REACH)
            bottom = min(max(int(np.floor(y)), REACH - 1), height - 1 - REACH)
            _weigh_point(x - left - 0.5, across)
            _weigh_point(y - bottom - 0.5, along)
            for band in range(bands):
                total = np.float32(0)
                for j in range(2 * REACH):
                    line = np.float32(0)
                    for i in range(2 * REACH):
                        line += (
                            across[i] * patch[band, bottom + 1 - REACH + j, left + 1 - REACH + i]
                        )
                    total += along[j] * line
                sampled[band, row, column] = total


@compiled
def _weigh_point(place, weights):
    """Compute the weights of six pixels for a sample so far from the middle of the two inner."""
    x = np.float32(place)
    weights[0], weights[5] = weigh_pair(x, OUTER)
    weights[1], weights[4] = weigh_pair(x, MIDDLE)
    weights[2], weights[3] = weigh_pair(x, INNER)
