"""What each survey's images are: bands, pixel scales, zero points, colour scales.

A :class:`Survey` describes the images; an :class:`Imaging` describes what a cutout made of them
shows, and is what a weight set's card is checked against.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
    name : str
        The short name, used in commands and cards.
    title : str
        The name for people.
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
    tiles : str
        How its files are named, as in ``{tile}/{band}-{kind}.fits``; "" for names that are known
        or that words tell.
    """

    name: str
    title: str
    pixel_scale: float
    zero_point: float
    layer: str
    viewer_scale: float
    colour_scales: Mapping[tuple[str, ...], tuple[float, ...]] = field(repr=False)
    tiles: str = ""

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
    """Return the survey of that name, or the one that a ``.toml`` file describes.

    Parameters
    ----------
    name : str
        A key of `SURVEYS`, or a path that ends with ``.toml``; see `read_survey`.

    Returns
    -------
    Survey

    Raises
    ------
    InputError
        If there is no such survey, with the names that exist; or the file describes none.

    Examples
    --------
    >>> from lsbg_classifier.surveys import survey_named
    >>> des = survey_named("des")
    >>> des.pixel_scale, round(des.field_of_view, 1)  # arcsec
    (0.263, 33.5)
    """
    if name.endswith(".toml"):
        return read_survey(Path(name))
    try:
        return SURVEYS[name]
    except KeyError:
        names = ", ".join(SURVEYS)
        raise InputError(
            f"unknown survey {name!r}: choose one of {names}, or name a .toml file that describes "
            "one"
        ) from None


def read_survey(path: Path) -> Survey:
    """Read the description of a survey that is not known by name.

    The file has the attributes of `Survey` as keys of TOML; ``title``, ``layer``, ``tiles`` and
    ``viewer_scale`` may be left out: then it has no layer in the viewer, and its cutouts are made
    of pixels half as large as its own. ``colour_scales`` is a table: for three bands, blue to red,
    as in ``gri``, the three factors; left out, they are the viewer's. ``tiles`` says how the files
    are named where their names alone do not tell, as in ``{tile}/{band}-{kind}.fits``.

    Raises
    ------
    InputError
        If something is missing, unknown or of the wrong kind.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        scales = content.pop("colour_scales", None)
        survey = Survey(
            name=_name(content.pop("name")),
            title=_text(content.pop("title", path.stem)),
            pixel_scale=(pixel_scale := _positive(content.pop("pixel_scale"))),
            zero_point=_number(content.pop("zero_point")),
            layer=_text(content.pop("layer", "")),
            viewer_scale=_positive(content.pop("viewer_scale", pixel_scale / 2)),
            colour_scales=_scaled(1) if scales is None else _read_scales(scales),
            tiles=_text(content.pop("tiles", "")),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InputError(f"{path}: not the description of a survey ({missing})") from error
    if content:
        raise InputError(f"{path}: unknown keys {', '.join(sorted(content))}; remove them")
    if survey.name in SURVEYS:
        raise InputError(f"{path}: the name {survey.name} is taken; choose another")
    return survey


def _text(value) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _name(value) -> str:
    if not _text(value).strip().isprintable() or not value.strip():
        raise ValueError(f"{value!r} is no name")
    return value.strip()


def _number(value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _positive(value) -> float:
    if not _number(value) > 0:
        raise ValueError(f"{value!r} is not a positive number")
    return float(value)


def _read_scales(table) -> Mapping[tuple[str, ...], tuple[float, ...]]:
    wrong = TypeError("colour_scales: three bands need three factors")
    if not isinstance(table, dict) or not table:
        raise wrong
    for bands, factors in table.items():
        if not isinstance(factors, list) or not len(bands) == len(factors) == 3:
            raise wrong
    return MappingProxyType(
        {tuple(bands): tuple(map(_positive, factors)) for bands, factors in table.items()}
    )
