"""Where mock galaxies go: not on masked pixels or gaps, and not on top of each other."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from lsbg_classifier.injection.ground import Ground

_TRIES = 40
"""Places that are looked at for each mock before it is given up."""


@dataclass(frozen=True)
class Placement:
    """Rules for the positions of mocks.

    Attributes
    ----------
    per_square_arcminute : float
        How many mocks.
    least_distance : float
        Arcseconds between the centres of two mocks.
    masked_share : float
        Largest part of the pixels within the effective radius that may be masked or without data.
        1: mocks go everywhere.
    """

    per_square_arcminute: float = 0.5
    least_distance: float = 40.0
    masked_share: float = 0.0

    def count(self, area: float) -> int:
        """Return how many mocks go into an area in square arcminutes."""
        return max(1, round(self.per_square_arcminute * area))


def place(
    mocks: Table,
    ground: Ground,
    pixel_scale: float,
    rules: Placement,
    generator: np.random.Generator,
) -> Table:
    """Give mocks positions; those for which there is no room are left out.

    Parameters
    ----------
    mocks : astropy.table.Table
        With ``R_EFF`` in arcseconds.
    ground : Ground
    pixel_scale : float
        Arcseconds.
    rules : Placement
    generator : numpy.random.Generator

    Returns
    -------
    astropy.table.Table
        The mocks that have a place, with ``X_IMAGE`` and ``Y_IMAGE`` (pixels from 1),
        ``MASKED_SHARE`` and ``COVERED`` (whether their centre has data in all bands).
    """
    height, width = ground.bad.shape
    grid = _Grid(rules.least_distance / pixel_scale)
    radii = np.asarray(mocks["R_EFF"]) / pixel_scale
    chosen, places, shares = [], [], []
    for number, radius in enumerate(radii):
        for x, y in generator.uniform(-0.5, [width - 0.5, height - 0.5], (_TRIES, 2)):
            if grid.is_taken(x, y):
                continue
            share = _bad_share(ground.bad, x, y, radius)
            if share <= rules.masked_share:
                grid.take(x, y)
                chosen.append(number)
                places.append((x, y))
                shares.append(share)
                break
    placed = mocks[np.array(chosen, int)]
    xy = np.array(places).reshape(-1, 2)
    placed["X_IMAGE"], placed["Y_IMAGE"] = xy[:, 0] + 1, xy[:, 1] + 1
    columns, rows = np.round(xy).astype(int).T.clip(0, [[width - 1], [height - 1]])
    placed["MASKED_SHARE"] = np.array(shares, np.float32)
    placed["COVERED"] = ~ground.bad[rows, columns]
    return placed


def _bad_share(bad: np.ndarray, x: float, y: float, radius: float) -> float:
    """Return which part of a circle is bad; what lies outside the image is."""
    reach = int(np.ceil(radius))
    column, row = round(x), round(y)
    x0, y0 = column - reach, row - reach
    dy, dx = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    circle = dx**2 + dy**2 <= radius**2
    rows, columns = slice(max(y0, 0), row + reach + 1), slice(max(x0, 0), column + reach + 1)
    part = bad[rows, columns]
    inside = circle[rows.start - y0 :, columns.start - x0 :][: part.shape[0], : part.shape[1]]
    good = np.count_nonzero(inside & ~part)
    return 1 - good / np.count_nonzero(circle)


class _Grid:
    """Positions in cells, so that only near ones are compared."""

    def __init__(self, distance: float):
        self._distance = max(distance, 1e-6)
        self._cells: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def _cell(self, x, y) -> tuple[int, int]:
        return int(x // self._distance), int(y // self._distance)

    def is_taken(self, x: float, y: float) -> bool:
        column, row = self._cell(x, y)
        near = (
            other
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for other in self._cells.get((column + i, row + j), ())
        )
        return any(np.hypot(x - ox, y - oy) < self._distance for ox, oy in near)

    def take(self, x: float, y: float):
        self._cells.setdefault(self._cell(x, y), []).append((x, y))
