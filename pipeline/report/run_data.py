"""The data that the page begins with: ``data/run.js``."""

from collections.abc import Mapping, Sequence

import numpy as np

from catalogs.flags import Flag
from lsbg_classifier.surveys import CUTOUT_SIZE, SURVEYS, Imaging
from pipeline.report.accuracy_figures import labelled
from pipeline.report.candidates import Candidates
from pipeline.report.choice import Choice
from pipeline.report.data import packed
from pipeline.report.heat import PER_FILE
from pipeline.report.pictures import SHEET

_THRESHOLDS = 101
"""Steps of the slider of the threshold."""

_HIPS = {"des": "CDS/P/DES-DR2/ColorIRG"}
"""What Aladin Lite shows of a survey's sky, and of all others'."""

_ANY_HIPS = "CDS/P/DESI-Legacy-Surveys/DR10/color"


def arrays_of(candidates: Candidates, choice: Choice, have: np.ndarray) -> dict[str, list[str]]:
    """Return what is known of each candidate of the gallery, packed.

    Parameters
    ----------
    candidates : Candidates
    choice : Choice
    have : array of bool, shape (gallery,)
        Which of them have a cutout.

    Returns
    -------
    dict
        See `data.packed`.
    """
    rows = choice.rows
    arrays = {
        "row": rows.astype(np.float64),
        "ra": candidates.positions[rows, 0],
        "dec": candidates.positions[rows, 1],
        "probability": candidates.probability[rows],
        "flags": candidates.flags[rows],
        "have": have.astype(np.uint8),
        "toLabel": choice.to_label.astype(np.int32),
        "isRandom": choice.is_random.astype(np.uint8),
        "queue": choice.queue,
    }
    if candidates.label is not None:
        known = np.isin(candidates.label[rows], (0, 1))
        arrays["truth"] = np.where(known, candidates.label[rows], -1).astype(np.int8)
    return {name: packed(values) for name, values in arrays.items()}


def facts_of(
    candidates: Candidates, imaging: Imaging | None, columns: Sequence[Mapping], heat_maps: int
) -> dict:
    """Return what is known of the run as a whole.

    Parameters
    ----------
    candidates : Candidates
    imaging : Imaging or None
        What the cutouts show.
    columns : sequence of mapping
        The catalog's columns; see `html_page.Content`.
    heat_maps : int
        Candidates that have one.

    Returns
    -------
    dict
    """
    survey = None if imaging is None else SURVEYS.get(imaging.survey)
    return {
        "id": candidates.identity,  # labels in a browser are kept under it
        "thresholds": count_above_thresholds(candidates),
        "flagTable": [
            {"bit": int(flag), "name": flag.name, "description": flag.description} for flag in Flag
        ],
        "columns": list(columns),
        "sheet": SHEET,
        "heatMaps": heat_maps,
        "heatMapsPerFile": PER_FILE,
        "layer": "ls-dr10" if survey is None else survey.layer,
        "hips": _ANY_HIPS if survey is None else _HIPS.get(survey.name, _ANY_HIPS),
        "fieldArcsec": 0 if imaging is None else round(imaging.pixel_scale * CUTOUT_SIZE, 2),
    }


def count_above_thresholds(candidates: Candidates) -> dict:
    """Count the candidates above each threshold from 0 to 1 in steps of 0.01.

    Returns
    -------
    dict
        ``above``: candidates of the whole catalog. With labels also ``lsbgs`` and ``others`` above
        each threshold, and how many there are in all, of those with a probability.
    """
    edges = np.round(np.linspace(0, 1, _THRESHOLDS), 2).astype(np.float32)

    def above(probability):
        ordered = np.sort(probability)
        return (len(ordered) - np.searchsorted(ordered, edges, side="right")).tolist()

    counts = {"above": above(candidates.probability[candidates.scored])}
    label, probability = labelled(candidates)
    if len(label):
        counts |= {
            "lsbgs": above(probability[label == 1]),
            "others": above(probability[label == 0]),
        }
        counts |= {"lsbgCount": int(label.sum()), "otherCount": int((label == 0).sum())}
    return counts
