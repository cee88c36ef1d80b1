"""How a cutout may differ from itself: turned, resized, moved, brighter or fainter."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lsbg_classifier.cutouts.colours import colours_of_fluxes, scaled_fluxes_of_colours

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
