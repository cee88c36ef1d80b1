"""Cutouts from coadd tiles, on exactly the grid of the viewer's."""

from collections import Counter
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.remote import RemoteError
from lsbg_classifier.cutouts.flux_doubts import refuse_absurd_scales
from lsbg_classifier.cutouts.source import check_options, empty_cutouts, flags_bad_positions
from lsbg_classifier.cutouts.tile_cutter import CutoutRecipe, Cuts, TileCutter
from lsbg_classifier.cutouts.tile_index import TileIndex
from lsbg_classifier.cutouts.tile_report import describe_assumptions, describe_bands
from lsbg_classifier.reasons import give_reason

_FAILURES_IN_A_ROW = 3
"""Remote tiles that cannot be fetched until there is no hope left."""

_ANOTHER_TILE = NOT_SCORED | Flag.PARTIAL_COVERAGE
"""Flags with which another tile that covers the position is tried."""


class TileSource:
    """Cutouts from a folder of coadd tiles.

    Fluxes are sampled by Lanczos-3 on the viewer's grid, coloured by its formula, and shrunk to
    64x64 by Pillow's filter, so that the same position through the viewer gives the same cutout
    up to JPEG noise. The viewer samples twice as finely as the survey's pixels; half as finely
    holds as much, changes at most one value in a hundred by more than one count of 255, and is a
    quarter of the samples. So that is done, except through JPEG and for images of finer pixels.
    Fluxes of pixels of another size than the survey's are converted to the survey's. Only the
    rows of a tile that its candidates need are read, in strips, each once.

    Where several tiles cover a position, the one in which it lies deepest is used; where that has
    no data, the next one.

    Parameters
    ----------
    folder : path or URL
        Holds FITS images, one file a band or one cube, at any depth; docs/images.md lists the
        surveys whose names are known.
    bands : str
        The three bands, blue to red.
    survey : str, optional
        Whose colours and scale the cutouts get, where the file names do not tell. What a file
        says of its own flux scale counts more; where it says nothing, the zero point is this
        survey's.
    tiles : str, optional
        How the files are named, as in ``{tile}/{band}-{kind}.fits``.
    jpeg : bool
        Pass the coloured image through JPEG as the viewer does before shrinking it.
    finely : bool
        Always sample as finely as the viewer does.
    """

    connections: int | None = None

    def __init__(
        self,
        folder: str | Path,
        *,
        bands: str = "grz",
        survey: str | None = None,
        tiles: str | None = None,
        jpeg: bool = False,
        finely: bool = False,
    ):
        self._index = TileIndex.of_folder(folder, survey, tiles)
        self.spec = f"tiles:{self._index.folder.spec}"
        self._failures = 0
        self._bands = tuple(bands)
        self.imaging = self._index.survey.imaging(self._bands)
        self._recipe = CutoutRecipe(self._index.survey, self._bands, jpeg, finely)
        self._has_survey = survey is not None
        self._check_bands()
        refuse_absurd_scales(self._index, self._bands)

    @classmethod
    def from_spec(cls, detail: str, **options) -> "TileSource":
        """Open the source that a text such as ``tiles:FOLDER`` names.

        Parameters
        ----------
        detail : str
            The folder: a path or a URL.
        **options
            `bands`, `survey`, `tiles`, `jpeg` and `finely`, as for `TileSource`.

        Returns
        -------
        TileSource

        Raises
        ------
        InputError
            If an option is another one, or the folder or its images cannot be used.
        """
        check_options("tiles", options, ("bands", "finely", "jpeg", "survey", "tiles"))
        return cls(detail, **options)

    def _check_bands(self):
        """Refuse a folder in which no tile has all bands."""
        if any(set(self._bands) <= set(tile.images) for tile in self._index.tiles):
            return
        reasons = self._index.scan.reasons(most=2)
        raise InputError(
            f"{self._index.folder}: no tile has all of the bands {', '.join(self._bands)}: "
            f"{describe_bands(self._index.tiles)}{''.join(f'; {reason}' for reason in reasons)}; "
            "choose with --bands, or add the missing images"
        )

    def assumptions(self) -> list[str]:
        """Return what is supposed of the images because no file says it; plain sentences."""
        return describe_assumptions(self._index, self._bands, has_survey=self._has_survey)

    def passed_over(self) -> list[str]:
        """Return how many files of the folder are not used, and why; plain sentences."""
        return self._index.scan.reasons(most=20)

    def group(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of each position's tile, -1 for none; see `CutoutSource.group`."""
        return self._index.rank(np.asarray(positions, np.float64), self._bands)[:, 0]

    @property
    def pixel_scales(self) -> list[float]:
        """Sizes of the tiles' pixels in arcseconds, ascending, each once."""
        images = [image for tile in self._index.tiles for image in tile.science.values()]
        return sorted({round(image.pixel_scale, 4) for image in images})

    def fingerprint(self) -> str:
        """Return what changes when an image in the folder does; see `CutoutSource`."""
        return self._index.fingerprint

    @flags_bad_positions
    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position; see `CutoutSource.fetch`."""
        positions = np.asarray(positions, np.float64)
        cuts = Cuts(*empty_cutouts(len(positions)))
        order = self._index.rank(positions, self._bands)
        nowhere = order[:, 0] < 0
        cuts.flags[nowhere] = Flag.NO_COVERAGE
        reason = (str(self._index.folder), "no tile covers the position")
        cuts.reasons = dict.fromkeys(np.flatnonzero(nowhere).tolist(), reason)
        left = ~nowhere
        for choice in range(order.shape[1]):
            numbers = order[:, choice]
            left &= numbers >= 0
            for number in np.unique(numbers[left]):
                rows = np.flatnonzero(left & (numbers == number))
                self._take(cuts, rows, self._cut(number, positions[rows]), first=choice == 0)
            left &= ((cuts.flags & _ANOTHER_TILE) != 0) & ((cuts.flags & Flag.FETCH_FAILED) == 0)
        _give_reasons(cuts)
        return cuts.cutouts, cuts.flags

    def _cut(self, number: int, positions: np.ndarray) -> Cuts:
        """Cut positions out of one tile."""
        folder, tile = self._index.folder, self._index.tiles[number]
        try:
            cuts = TileCutter(folder, tile, self._recipe).cut(positions)
        except RemoteError as error:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            cuts = Cuts(*empty_cutouts(len(positions)))
            cuts.flags[:] = Flag.FETCH_FAILED
            where = folder.where(next(iter(tile.images.values())).path)
            reason = str(error).removeprefix(f"{where}: ")
            cuts.reasons = dict.fromkeys(range(len(positions)), (where, reason))
        else:
            self._failures = 0
        return cuts

    def _take(self, cuts: Cuts, rows: np.ndarray, new: Cuts, *, first: bool):
        """Take over cutouts of a tile: all of the first, and of others those that are better."""
        for number, row in enumerate(rows.tolist()):
            if (
                first
                or not new.flags[number] & _ANOTHER_TILE
                or _is_better(new.flags[number], cuts.flags[row])
            ):
                cuts.cutouts[row], cuts.flags[row] = new.cutouts[number], new.flags[number]
                cuts.reasons.pop(row, None)
                if number in new.reasons:
                    cuts.reasons[row] = new.reasons[number]


def _is_better(flags: int, others: int) -> bool:
    """Tell whether a cutout can be scored and the other cannot."""
    return not flags & NOT_SCORED and bool(others & NOT_SCORED)


def _give_reasons(cuts: Cuts):
    """Say why candidates have an image that cannot be used, once a file and reason."""
    counts = Counter(
        (Flag(int(cuts.flags[row])) & NOT_SCORED, *reason) for row, reason in cuts.reasons.items()
    )
    for (flags, where, what), count in counts.items():
        for flag in flags:
            give_reason(flag, where, what, count)
