"""What a file of a folder of images holds: science images, and their weights and masks."""

from dataclasses import asdict, dataclass, field

from lsbg_classifier.cutouts.flux_scale import FluxScale
from lsbg_classifier.cutouts.geometry import SkyGrid
from lsbg_classifier.cutouts.sides import Side, side_from_json


@dataclass(frozen=True)
class ScienceImage:
    """A science image in one band.

    Attributes
    ----------
    path : str
        File in the folder.
    extension : int
    plane : int or None
        Which plane, if the extension is a cube.
    band : str
    shape : tuple of int
        Height and width.
    grid : SkyGrid
    outline : list
        Centre and corners on the sky, in degrees; see `SkyGrid.outline`.
    pixel_scale : float
        Arcseconds.
    scale : FluxScale
    is_integer : bool
        Whether it holds integers.
    blank : float or None
        A value that stands for "no data", where the header names one; of integers, as they are
        when they are scaled.
    weight, mask : Side or None
    """

    path: str
    extension: int
    plane: int | None
    band: str
    shape: tuple[int, int]
    grid: SkyGrid
    outline: list
    pixel_scale: float
    scale: FluxScale
    is_integer: bool = False
    blank: float | None = None
    weight: Side | None = None
    mask: Side | None = None

    @property
    def where(self) -> str:
        """The file, and the extension if it is not the only one."""
        return self.path if self.extension < 2 else f"{self.path}[{self.extension}]"


@dataclass(frozen=True)
class FileContent:
    """What a file holds.

    Attributes
    ----------
    images : list of ScienceImage
    sides : list of Side
    passed_over : str
        Why the file has no image that can be used; "" if it has.
    """

    images: list[ScienceImage] = field(default_factory=list)
    sides: list[Side] = field(default_factory=list)
    passed_over: str = ""

    def as_json(self) -> dict:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> "FileContent":
        """Make it from JSON values; raises one of `UNREADABLE` if they are others."""
        images = [_image_from_json(image) for image in content["images"]]
        sides = [side_from_json(side) for side in content["sides"]]
        return cls(images, sides, str(content["passed_over"]))


def _image_from_json(values: dict) -> ScienceImage:
    scale = dict(values["scale"])
    scale["asinh"] = scale["asinh"] and tuple(scale["asinh"])
    sides = {key: values[key] and side_from_json(values[key]) for key in ("weight", "mask")}
    grid, shape = SkyGrid(**values["grid"]), tuple(values["shape"])
    return ScienceImage(
        **values | sides | {"grid": grid, "shape": shape, "scale": FluxScale(**scale)}
    )
