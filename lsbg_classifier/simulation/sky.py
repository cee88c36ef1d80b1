"""The canvas: one patch of sky in three bands, and the conditions it was observed under."""

from dataclasses import dataclass

import galsim
import numpy as np
from numpy.typing import ArrayLike
from scipy import fft, ndimage

from lsbg_classifier.simulation.models import BANDS, MODELS, SurveyModel


@dataclass(frozen=True)
class Conditions:
    """How a patch of sky was observed; one value a band, in the order of `BANDS`.

    Attributes
    ----------
    noise : tuple of float
        RMS of the sky in counts a pixel.
    seeing : tuple of float
        FWHM of the point-spread function in arcseconds.
    correlation : float
        Width in pixels of the kernel that coaddition leaves in the noise.
    saturation : float
        Counts a pixel at which stars saturate.
    model : SurveyModel
        What all of the survey has in common.
    """

    noise: tuple[float, ...]
    seeing: tuple[float, ...]
    correlation: float
    saturation: float
    model: SurveyModel = MODELS["des"]

    @classmethod
    def draw(cls, model: SurveyModel, rng: np.random.Generator) -> "Conditions":
        """Draw the conditions of one tile around those typical of a survey.

        Parameters
        ----------
        model : SurveyModel
        rng : numpy.random.Generator

        Returns
        -------
        Conditions
        """
        depth = rng.lognormal(0.0, 0.3)
        sharpness = rng.lognormal(0.0, 0.08)
        return cls(
            noise=tuple(sky * depth * rng.lognormal(0.0, 0.1) for sky in model.noise),
            seeing=tuple(fwhm * sharpness * rng.lognormal(0.0, 0.04) for fwhm in model.seeing),
            correlation=rng.uniform(0.5, 0.9),
            saturation=10 ** rng.uniform(*np.log10(model.saturation)),
            model=model,
        )


class Sky:
    """Three noiseless images that objects are drawn into.

    Attributes
    ----------
    images : array of float32, shape (3, size, size)
        Counts a pixel, row 0 at the bottom (south).
    size : int
    conditions : Conditions
    pixel_scale : float
        Arcseconds per pixel.
    """

    def __init__(self, size: int, conditions: Conditions):
        self.size = size
        self.conditions = conditions
        self.pixel_scale = conditions.model.survey.pixel_scale
        self.images = np.zeros((len(BANDS), size, size), np.float32)
        self.psfs = [galsim.Moffat(beta=3.5, fwhm=fwhm) for fwhm in conditions.seeing]

    def draw(self, profile: galsim.GSObject, side: int, dx: float = 0.0, dy: float = 0.0):
        """Render a profile of unit flux through each band's seeing.

        Parameters
        ----------
        profile : galsim.GSObject
        side : int
            Of the stamp, in pixels.
        dx, dy : float
            Pixels from the middle pixel to the centre of the profile.

        Returns
        -------
        array of float32, shape (3, side, side)
        """
        stamp = {"nx": side, "ny": side, "scale": self.pixel_scale, "offset": (dx, dy)}
        seen = [galsim.Convolve(profile, psf) for psf in self.psfs]
        return np.stack([image.drawImage(**stamp, dtype=np.float32).array for image in seen])

    def fluxes(self, magnitudes: ArrayLike) -> np.ndarray:
        """Convert AB magnitudes to counts."""
        zero_point = self.conditions.model.survey.zero_point
        return 10 ** (-0.4 * (np.asarray(magnitudes) - zero_point))

    def paste(self, stamp: np.ndarray, x: int, y: int):
        """Add a stamp to the images; what lies outside of them is cut off.

        Parameters
        ----------
        stamp : array of float32, shape (3, height, width)
            Counts of each band.
        x, y : int
            Pixel that the stamp's middle pixel falls on.
        """
        height, width = stamp.shape[1:]
        left, bottom = x - width // 2, y - height // 2
        x0, x1 = max(left, 0), min(left + width, self.size)
        y0, y1 = max(bottom, 0), min(bottom + height, self.size)
        if x0 < x1 and y0 < y1:
            part = stamp[:, y0 - bottom : y1 - bottom, x0 - left : x1 - left]
            self.images[:, y0:y1, x0:x1] += part

    def place(self, profile: galsim.GSObject, fluxes: np.ndarray, x: float, y: float, side: int):
        """Draw a profile in all bands.

        Parameters
        ----------
        profile : galsim.GSObject
            Of unit flux.
        fluxes : array of float, shape (3,)
            Counts in each band.
        x, y : float
            Pixel of its centre.
        side : int
            Of the stamp, in pixels; made odd.
        """
        column, row = round(x), round(y)
        side += 1 - side % 2
        stamp = self.draw(profile, side, x - column, y - row)
        self.paste(stamp * fluxes[:, None, None].astype(np.float32), column, row)

    def observe(self, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add correlated sky noise and the shot noise of bright sources.

        Parameters
        ----------
        depth : array of float, shape (3, size, size)
            Factor on the RMS of the sky at each pixel.

        Returns
        -------
        array of float32, shape (3, size, size)
            Counts a pixel.
        """
        observed = np.empty_like(self.images)
        electrons = self.conditions.model.electrons
        for band, (image, sky) in enumerate(zip(self.images, self.conditions.noise, strict=True)):
            white = rng.standard_normal(image.shape, dtype=np.float32)
            noise = ndimage.gaussian_filter(white, self.conditions.correlation)
            noise /= noise.std()
            rms = np.sqrt((sky * depth[band]) ** 2 + np.maximum(image, 0) / electrons)
            observed[band] = image + noise * rms
        return observed


def random_field(size: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian random field with power k**-slope, zero mean and unit variance.

    Parameters
    ----------
    size : int
        Side of the field in pixels.
    slope : float
    rng : numpy.random.Generator

    Returns
    -------
    array of float32, shape (size, size)
    """
    frequency = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    spectrum = fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    field = fft.irfft2(spectrum * frequency ** (-slope / 2), s=(size, size))
    return ((field - field.mean()) / field.std()).astype(np.float32)
