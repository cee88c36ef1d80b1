"""Weights and masks: where they lie, and which image each of them belongs to."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from catalogs.positions import unit_vectors
from lsbg_classifier.cutouts.geometry import read_grid
from lsbg_classifier.cutouts.image_kinds import Kind
from lsbg_classifier.cutouts.no_data import MaskBits

if TYPE_CHECKING:
    from lsbg_classifier.cutouts.tile_contents import ScienceImage

_SAME_DETECTOR = 0.1
"""Fraction of an image's side by which the corners of its weight may differ from its own: other
detectors are a whole side away."""


@dataclass(frozen=True)
class Side:
    """A weight or a mask: where it lies, and which image of a file it belongs to.

    Attributes
    ----------
    kind : Kind
        WEIGHT or MASK.
    path : str
        File in the folder.
    extension : int
    plane : int or None
        Which plane, if the extension is a cube.
    band : str
        "" if it is for all bands.
    shape : tuple of int
        Height and width.
    bits : dict
        For each band, what the bits of a mask mean.
    outline : list or None
        Centre and corners on the sky, in degrees, if its file holds others that are like it but
        for their place: those of other detectors.
    """

    kind: Kind
    path: str
    extension: int
    plane: int | None
    band: str
    shape: tuple[int, int]
    bits: dict[str, MaskBits] = field(default_factory=dict)
    outline: list | None = None

    def is_for(self, image: "ScienceImage") -> bool:
        """Tell whether this may be of an image: of its shape, and no other band, plane or place."""
        same_plane = self.plane is None or self.band or self.plane == image.plane
        is_like = self.shape == image.shape and self.band in ("", image.band) and same_plane
        return bool(is_like) and (self.outline is None or _is_near(self.outline, image))


def side_from_json(values: dict) -> Side:
    """Make a weight or mask from JSON values.

    Parameters
    ----------
    values : dict
        The attributes; other ones raise one of `UNREADABLE`.

    Returns
    -------
    Side
    """
    bits = {band: MaskBits(**each) for band, each in values["bits"].items()}
    shape, kind = tuple(values["shape"]), Kind(values["kind"])
    return Side(**values | {"shape": shape, "kind": kind, "bits": bits})


def with_places(sides: list[Side], header_of: Callable[[int], fits.Header]) -> list[Side]:
    """Say where those weights and masks of a file lie that differ from others by that alone.

    Parameters
    ----------
    sides : list of Side
    header_of : callable
        Returns the header of an extension, with its coordinates.

    Returns
    -------
    list of Side
    """

    def key(side: Side):
        return side.kind, side.band, side.shape, side.plane

    counts = Counter(map(key, sides))
    return [
        replace(side, outline=_outline(header_of(side.extension), side.shape))
        if counts[key(side)] > 1
        else side
        for side in sides
    ]


def _outline(header: fits.Header, shape: tuple[int, int]) -> list | None:
    """Return centre and corners on the sky; None if there are no coordinates that are known."""
    try:
        return read_grid(header, shape[1], shape[0]).outline().tolist()
    except ValueError:
        return None


def _is_near(outline: list, image: "ScienceImage") -> bool:
    """Tell whether corners are those of an image, to a tenth of its shorter side."""
    ours, theirs = (unit_vectors(np.array(each)) for each in (outline, image.outline))
    apart = 3600 * float(np.degrees(np.linalg.norm(ours - theirs, axis=1).max()))
    return apart <= _SAME_DETECTOR * min(image.shape) * image.pixel_scale


def sides_of(images: list["ScienceImage"], sides: list[Side], kind: Kind) -> list[Side | None]:
    """Return the weight or mask of its file that belongs to each image.

    Where as many of them as images would fit, the first is of the first, however they are mixed;
    else it is the nearest one after the image.

    Parameters
    ----------
    images : list of ScienceImage
    sides : list of Side
        All of the file.
    kind : Kind
        WEIGHT or MASK.

    Returns
    -------
    list of Side or None
        One for each image.
    """
    fitting = [[s for s in sides if s.kind == kind and s.is_for(image)] for image in images]
    chosen: list[Side | None] = []
    for image, candidates in zip(images, fitting, strict=True):
        alike = [other for other, its in zip(images, fitting, strict=True) if its == candidates]
        if len(alike) == len(candidates):
            chosen.append(candidates[alike.index(image)])
        else:
            chosen.append(min(candidates, key=partial(_distance, image), default=None))
    return chosen


def _distance(image: "ScienceImage", side: Side) -> tuple[bool, int]:
    """Tell how near a weight or mask is; those after the image go first."""
    return side.extension < image.extension, abs(side.extension - image.extension)
