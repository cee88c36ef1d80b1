"""What each candidate of a simulated survey really is."""

import numpy as np
from astropy.table import Table

from lsbg_classifier.simulation.galaxies import Placed

MATCH_RADIUS = 3.0
"""A candidate within this distance of a simulated LSBG, in arcseconds, is that galaxy."""


def match_truth(candidates: Table, placed: list[Placed], pixel_scale: float) -> tuple[Table, Table]:
    """Say what each candidate is; pieces of an LSBG other than its nearest one are dropped.

    Parameters
    ----------
    candidates : astropy.table.Table
        With X_IMAGE and Y_IMAGE, pixels counted from 1.
    placed : list of Placed
        What was drawn, at least one of them.
    pixel_scale : float
        Arcseconds.

    Returns
    -------
    candidates, truth : astropy.table.Table
        Of the same rows.
    """
    kinds = np.array([object_.kind for object_ in placed])
    xy = np.array([(object_.x, object_.y) for object_ in placed])
    here = np.stack([candidates["X_IMAGE"] - 1, candidates["Y_IMAGE"] - 1], axis=1)
    distance = np.hypot(*np.moveaxis(here[:, None] - xy[None], -1, 0)) * pixel_scale
    is_lsbg = kinds == "lsbg"
    to_lsbg = np.where(is_lsbg[None], distance, np.inf)
    rows = np.arange(len(candidates))
    nearest_lsbg = to_lsbg.argmin(axis=1) if len(rows) else np.zeros(0, int)
    best = to_lsbg.argmin(axis=0) if len(rows) else np.zeros(len(xy), int)
    label = (to_lsbg[rows, nearest_lsbg] < MATCH_RADIUS) & (best[nearest_lsbg] == rows)
    radius = np.array([object_.radius for object_ in placed])
    piece = ~label & (to_lsbg[rows, nearest_lsbg] < np.maximum(2 * radius[nearest_lsbg], 5.0))
    nearest = np.where(label, nearest_lsbg, distance.argmin(axis=1) if len(rows) else 0)
    truth = Table(
        {
            "LABEL": label.astype(np.int16),
            "NEAREST": kinds[nearest],
            "DISTANCE": distance[rows, nearest].astype(np.float32),
            "MAG_G_TRUE": np.array([placed[i].magnitude for i in nearest], np.float32),
            "R_EFF_TRUE": radius[nearest].astype(np.float32),
        }
    )
    return candidates[~piece], truth[~piece]
