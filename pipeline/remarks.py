"""What a job supposes and what is doubtful about it: for the dry run, the summary and the log."""

import numpy as np

from catalogs.blocks import BLOCK_ROWS
from catalogs.sky_extent import SkyExtent, position_notes, position_warnings
from pipeline.job import Job


def extent_of(positions: np.ndarray) -> SkyExtent:
    """Return the part of the sky that positions span: degrees, shape (N, 2), perhaps on disk."""
    extent = SkyExtent()
    for start in range(0, len(positions), BLOCK_ROWS):
        extent.add(positions[start : start + BLOCK_ROWS])
    return extent


def remarks_on(job: Job, extent: SkyExtent) -> list[str]:
    """Return lines on how the positions were found, what is assumed, and what looks wrong.

    Parameters
    ----------
    job : Job
    extent : SkyExtent
        Of the selected rows.

    Returns
    -------
    list of str
        Lines that begin with ``position:``, ``assumed:`` or ``warning:``.
    """
    columns = job.catalog.position_columns
    return [
        *(f"position: {note}" for note in columns.notes),
        *(f"position: {note}" for note in position_notes(columns, extent)),
        *(f"assumed: {assumption}" for assumption in job.assumptions()),
        *(f"warning: {warning}" for warning in getattr(job.catalog, "warnings", ())),
        *(f"warning: {warning}" for warning in position_warnings(columns, extent)),
    ]
