"""Cutouts of some positions from one tile."""

from dataclasses import dataclass, field

import numpy as np

from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.cutouts.colours import compress, shrink
from lsbg_classifier.cutouts.coverage import EMPTY, judge_gaps
from lsbg_classifier.cutouts.geometry import Placement, SkyGrid, place_grids
from lsbg_classifier.cutouts.pixel_layout import Images
from lsbg_classifier.cutouts.pixels import REACH, colour, fill_patch, render, resample
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.cutouts.strips import DamagedTileError, OpenTile, Strip
from lsbg_classifier.cutouts.tile_folder import TileFolder
from lsbg_classifier.cutouts.tile_groups import Tile
from lsbg_classifier.cutouts.turned import resample_turned
from lsbg_classifier.surveys import VIEWER_SIZE, Survey

_STRIP_ROWS = 1024
"""Rows of a tile in memory at a time."""

_TOGETHER = 32
"""Cutouts that are made at a time: threads disturb each other between steps, not within one."""

_MASKED = 0.05
"""Fraction of bad pixels in the central quarter that gets a flag."""

_COARSEST = 1.05
"""Pixels of a tile between samples, at most: more would miss what the tile holds."""


@dataclass(frozen=True)
class CutoutRecipe:
    """How cutouts are made of fluxes.

    Attributes
    ----------
    survey : Survey
        Its colours and its scale.
    bands : tuple of str
        Blue to red.
    jpeg : bool
        Whether images pass through JPEG before they are shrunk.
    finely : bool
        Whether fluxes are always sampled as finely as the viewer does.
    """

    survey: Survey
    bands: tuple[str, ...]
    jpeg: bool = False
    finely: bool = False

    @property
    def scales(self) -> np.ndarray:
        """The factor of each band's nanomaggies; float32, shape (3,)."""
        return np.array(self.survey.colour_scales[self.bands], np.float32)

    def side(self, placements: list[Placement]) -> int:
        """Return how many samples along a side hold all that the images' pixels tell."""
        affines = np.concatenate([placement.affines for placement in placements])
        coarse = 2 * np.hypot(affines[:, 0, 1], affines[:, 1, 1]).max()
        fine = self.jpeg or self.finely or coarse > _COARSEST
        return VIEWER_SIZE if fine else VIEWER_SIZE // 2


@dataclass
class Cuts:
    """Cutouts of some positions.

    Attributes
    ----------
    cutouts, flags : array
        As `CutoutSource.fetch` returns them.
    reasons : dict of int to tuple of str
        For positions with an image that cannot be used: the file, and what is wrong.
    """

    cutouts: np.ndarray
    flags: np.ndarray
    reasons: dict[int, tuple[str, str]] = field(default_factory=dict)


class TileCutter:
    """Makes the cutouts of some positions from one tile.

    Parameters
    ----------
    folder : TileFolder
    tile : Tile
    recipe : CutoutRecipe
    """

    def __init__(self, folder: TileFolder, tile: Tile, recipe: CutoutRecipe):
        self._folder, self._tile, self._recipe = folder, tile, recipe
        present = [tile.images[band].grid for band in recipe.bands if band in tile.images]
        self._grids: list[SkyGrid] = list(dict.fromkeys(present))
        self._grid_of = [
            self._grids.index(tile.images[band].grid) if band in tile.images else 0
            for band in recipe.bands
        ]

    def cut(self, positions: np.ndarray) -> Cuts:
        """Cut out one image a position, shape (N, 2) in degrees."""
        cuts = Cuts(*empty_cutouts(len(positions)))
        if not self._grids:
            cuts.flags[:] = Flag.MISSING_BAND
            cuts.reasons = dict.fromkeys(range(len(positions)), self._lacking())
            return cuts
        scale = self._recipe.survey.viewer_scale
        placements = [place_grids(grid, positions, scale) for grid in self._grids]
        rows = self._refuse_bent(cuts, placements)
        if len(rows):
            some = [Placement(p.affines[rows], p.errors[rows]) for p in placements]
            self._cut_straight(cuts, rows, some)
        return cuts

    def _refuse_bent(self, cuts: Cuts, placements: list[Placement]) -> np.ndarray:
        """Flag positions where an image is distorted within a cutout; return the others."""
        bent = np.any([placement.is_bent for placement in placements], axis=0)
        cuts.flags[bent] = Flag.BAD_IMAGE
        reason = (self._where(), "distorted too much within a cutout; resample the image")
        cuts.reasons |= dict.fromkeys(np.flatnonzero(bent).tolist(), reason)
        return np.flatnonzero(~bent)

    def _cut_straight(self, cuts: Cuts, rows: np.ndarray, placements: list[Placement]):
        work = _Work(self._recipe, placements, self._grid_of)
        try:
            with OpenTile(self._folder, self._tile, self._recipe.bands) as images:
                for strip_rows in _strips(work.boxes[0], _STRIP_ROWS):
                    self._cut_strip(cuts, rows, strip_rows, images, work)
        except DamagedTileError as error:
            self._flag_damaged(cuts, rows, error)

    def _cut_strip(self, cuts: Cuts, rows, chosen: np.ndarray, images: OpenTile, work: "_Work"):
        """Make cutouts of some rows; where a part is damaged, of those that do not need it."""
        try:
            strip = images.read(*work.corners(chosen))
        except DamagedTileError as error:
            if len(chosen) == 1:
                self._flag_damaged(cuts, rows[chosen], error)
                return
            middle = len(chosen) // 2
            for half in (chosen[:middle], chosen[middle:]):
                self._cut_strip(cuts, rows, half, images, work)
            return
        for part in np.split(chosen, range(_TOGETHER, len(chosen), _TOGETHER)):
            part_cutouts, gaps, masked = work.make(strip, part)
            flags = judge_gaps(gaps) | np.where(masked > _MASKED, np.int16(Flag.MASKED_PIXELS), 0)
            part_cutouts[(flags & NOT_SCORED) != 0] = 0
            cuts.cutouts[rows[part]], cuts.flags[rows[part]] = part_cutouts, flags
            for number in np.flatnonzero(flags & NOT_SCORED):
                cuts.reasons[int(rows[part[number]])] = self._gap(gaps[number])

    def _flag_damaged(self, cuts: Cuts, rows: np.ndarray, error: DamagedTileError):
        empty_rows = rows[cuts.flags[rows] == 0]
        empty_rows = [row for row in empty_rows.tolist() if not cuts.cutouts[row].any()]
        cuts.flags[empty_rows] = Flag.BAD_IMAGE
        cuts.reasons |= dict.fromkeys(empty_rows, (error.where, error.what))

    def _gap(self, gaps: np.ndarray) -> tuple[str, str]:
        """Say which bands have no data, and in which file."""
        empty = [band for band, gap in zip(self._recipe.bands, gaps, strict=True) if gap > EMPTY]
        if not set(empty) <= set(self._tile.images):
            return self._lacking()
        which = "any band" if len(empty) == len(gaps) else f"band {', '.join(empty)}"
        return self._folder.where(self._tile.images[empty[0]].path), f"no data in {which}"

    def _lacking(self) -> tuple[str, str]:
        lacks = ", ".join(band for band in self._recipe.bands if band not in self._tile.images)
        return self._where(), f"its tile has no image in band {lacks}"

    def _where(self) -> str:
        first = next(iter(self._tile.images.values()))
        return self._folder.where(first.path)


class _Work:
    """Where some cutouts lie in each band of a tile, and how they are made."""

    def __init__(self, recipe: CutoutRecipe, placements: list[Placement], grid_of: list[int]):
        self._recipe, self._placements, self._grid_of = recipe, placements, grid_of
        self.boxes = [_boxes(placement.affines) for placement in placements]
        self._side = recipe.side(placements)
        self._is_simple = len(placements) == 1 and placements[0].is_upright
        self._columns = [(boxes[:, 0].min(), boxes[:, 2].max()) for boxes in self.boxes]

    def corners(self, rows: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the corners (x, y) of the strip of each band that some cutouts need."""
        lows, highs = [], []
        for number in self._grid_of:
            boxes, (left, right) = self.boxes[number][rows], self._columns[number]
            lows.append(np.array([left, boxes[:, 1].min()]))
            highs.append(np.array([right, boxes[:, 3].max()]))
        return lows, highs

    def make(self, strip: Strip, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return cutouts, the fractions of each band without data, and those of bad pixels."""
        colours = np.empty((len(rows), 3, self._side, self._side), np.uint8)
        gaps, masked = np.empty((len(rows), 3)), np.zeros(len(rows))
        if self._is_simple:
            self._make_together(strip, rows, Images(colours, gaps, masked))
        else:
            for number, row in enumerate(rows):
                masked[number] = self._make_apart(strip, row, colours[number], gaps[number])
        images = np.moveaxis(colours, 1, -1)
        if self._recipe.jpeg:
            images = np.array([compress(image) for image in images])
        return shrink(images), gaps, masked

    def _make_together(self, strip: Strip, rows: np.ndarray, images: Images):
        """Make some cutouts of bands that lie on the same pixels, with north about up."""
        boxes, affines = self.boxes[0][rows], self._placements[0].affines[rows]
        corners, (width, height) = boxes[:, :2], boxes[0, 2:] - boxes[0, :2]
        within = affines - np.eye(3)[0] * corners[:, :, None]
        patch, scales = np.empty((3, height, width), np.float32), self._recipe.scales
        corners = corners - strip.lows[0]
        render(strip.bands, corners, within, scales, patch, images)

    def _make_apart(self, strip: Strip, row: int, image, gaps) -> float:
        """Make one cutout, each band by its own grid; return the fraction of bad pixels."""
        masked, samples = 0.0, np.empty((3, 1, self._side, self._side), np.float32)
        for number, grid in enumerate(self._grid_of):
            x0, y0, x1, y1 = self.boxes[grid][row]
            patch = np.empty((1, y1 - y0, x1 - x0), np.float32)
            x, y = np.array([x0, y0]) - strip.lows[number]
            bands = strip.bands[number : number + 1]
            masked = max(masked, fill_patch(bands, x, y, patch, gaps[number : number + 1]))
            placement = self._placements[grid]
            affine = placement.affines[row] - np.eye(3)[0] * [[x0], [y0]]
            sample = resample if placement.is_upright else resample_turned
            sample(patch, affine, samples[number])
        colour(samples.reshape(3, -1), self._recipe.scales, image.reshape(3, -1))
        return masked


def _boxes(affines: np.ndarray) -> np.ndarray:
    """Pixel boxes (x0, y0, x1, y1), ends excluded, that the grids and the kernel need; (N, 4).

    All are of one size.
    """
    centre = affines[:, :, 0]
    half = np.abs(affines[:, :, 1:]).sum(axis=2) * VIEWER_SIZE / 2 + REACH
    low, high = np.floor(centre - half), np.ceil(centre + half) + 1
    return np.concatenate([low, low + (high - low).max(axis=0)], axis=1).astype(np.int64)


def _strips(boxes: np.ndarray, height: int) -> list[np.ndarray]:
    """Join boxes that share rows into strips at most about `height` rows high."""
    order = np.argsort(boxes[:, 1], kind="stable")
    strips: list[np.ndarray] = []
    current: list[int] = []
    bottom, top = 0, 0
    for row in order:
        y0, y1 = boxes[row, 1], boxes[row, 3]
        if current and (y0 >= top or y1 - bottom > height):
            strips.append(np.array(current))
            current = []
        if not current:
            bottom, top = y0, y1
        current.append(row)
        top = max(top, y1)
    return [*strips, np.array(current)]
