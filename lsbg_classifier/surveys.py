"""What each survey's images are: bands, pixel scales, zero points, colour scales.

A :class:`Survey` describes the images; an :class:`Imaging` describes what a cutout made of them
shows, and is what a weight set's card is checked against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from catalogs.errors import InputError

CUTOUT_SIZE = 64
"""Side of the network's input, in pixels (Tanoglidis et al. 2021, section 3)."""

VIEWER_SIZE = 256
"""Side of the viewer's image that is shrunk to `CUTOUT_SIZE`, in pixels."""


@dataclass(frozen=True)
class Imaging:
    """What a colour cutout shows; two cutouts are comparable only when these agree.

    Attributes
    ----------
    survey : str
        Name of the survey (see `SURVEYS`), or any other name for images of unknown origin.
    bands : tuple of str
        The three bands, blue to red: (g, r, z) makes blue g, green r, red z.
    pixel_scale : float
        Arcseconds per pixel of the 64x64 cutout.
    stretch : str
        How fluxes became colours: ``viewer`` is the Legacy Survey viewer's arcsinh formula with
        the survey's own band scales.
    """

    survey: str
    bands: tuple[str, ...]
    pixel_scale: float
    stretch: str = "viewer"

    def differences(self, other: "Imaging") -> list[str]:
        """Say in words where `other` differs; pixel scales may differ by 1 %."""
        differences = [
            f"{name} is {theirs!r}, not {ours!r}"
            for name, ours, theirs in (
                ("survey", self.survey, other.survey),
                ("bands", "".join(self.bands), "".join(other.bands)),
                ("stretch", self.stretch, other.stretch),
            )
            if ours != theirs
        ]
        if abs(other.pixel_scale / self.pixel_scale - 1) > 0.01:
            differences.append(
                f'pixel scale is {other.pixel_scale:.3f}", not {self.pixel_scale:.3f}"'
            )
        return differences


@dataclass(frozen=True)
class Survey:
    """The images of one survey.

    Attributes
    ----------
    name, title : str
        The short name used in commands and cards, and the one for people.
    pixel_scale : float
        Arcseconds per pixel of the coadd tiles.
    zero_point : float
        AB magnitude of one count in the coadd tiles.
    layer : str
        Layer of the Legacy Survey viewer.
    viewer_scale : float
        Arcseconds per pixel of the viewer's 256x256 image at ``zoom=15``, half the viewer's native
        pixel for the layer.
    colour_scales : mapping of tuple of str to tuple of float
        For each set of bands (blue to red), the factors that multiply nanomaggies.
    """

    name: str
    title: str
    pixel_scale: float
    zero_point: float
    layer: str
    viewer_scale: float
    colour_scales: Mapping[tuple[str, ...], tuple[float, ...]] = field(repr=False)

    @property
    def field_of_view(self) -> float:
        """Side of a cutout in arcseconds."""
        return VIEWER_SIZE * self.viewer_scale

    def imaging(self, bands: tuple[str, ...] = ("g", "r", "z")) -> Imaging:
        """Describe the cutouts that the viewer's formula makes of `bands`."""
        if bands not in self.colour_scales:
            known = ", ".join("".join(key) for key in self.colour_scales)
            raise InputError(
                f"{self.title} has no colours for the bands {''.join(bands)}: choose {known}"
            )
        return Imaging(self.name, bands, self.field_of_view / CUTOUT_SIZE)


def _scaled(factor: float) -> Mapping[tuple[str, ...], tuple[float, ...]]:
    """Multiply the colour scales of the viewer (legacysurvey/imagine) by `factor`."""
    viewer = {("g", "r", "z"): (6.0, 3.4, 2.2), ("g", "r", "i"): (9.0, 5.1, 4.5)}
    return MappingProxyType(
        {bands: tuple(factor * scale for scale in scales) for bands, scales in viewer.items()}
    )


SURVEYS: Mapping[str, Survey] = MappingProxyType(
    {
        survey.name: survey
        for survey in (
            Survey("des", "Dark Energy Survey", 0.263, 30.0, "des-dr1", 0.131, _scaled(1)),
            Survey("hsc", "Hyper Suprime-Cam", 0.168, 27.0, "hsc2", 0.084, _scaled(5)),
            Survey("decals", "Legacy Surveys", 0.262, 22.5, "ls-dr9", 0.131, _scaled(1)),
        )
    }
)
"""The surveys known by name."""


def survey_named(name: str) -> Survey:
    """Return the survey of that name, or raise `InputError` with the names that exist."""
    try:
        return SURVEYS[name]
    except KeyError:
        raise InputError(f"unknown survey {name!r}: choose one of {', '.join(SURVEYS)}") from None
