"""What can be checked of a quantum before it runs: weights, sources, coadds."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from lsbg_classifier import open_source
from lsbg_classifier.engines.choice import plan_engine
from lsbg_classifier.scoring import check_match
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import find_weights
from pipeline.options import Options

_SOURCE = ("bands", "survey", "tiles", "url")


def check_configured(config: Any):
    """Refuse options with which no quantum could run.

    Parameters
    ----------
    config : ClassifyLsbgConfig

    Raises
    ------
    InputError
        If the weights or the source of cutouts do not exist, or the weights were made for other
        images.
    """
    weights = None if config.weights_from_butler else find_weights(config.weights)
    if weights is not None:
        plan_engine(weights, config.engine)
    if config.coadds_from_butler:
        survey_named(config.survey)
        return
    named = {name: getattr(config, name) for name in _SOURCE}
    named["connections"] = config.source_connections
    source = open_source(config.cutouts, **Options(cutouts=config.cutouts, **named).of_source)
    if weights is not None and not config.allow_mismatch:
        check_match(weights.card, source, "allow_mismatch=True")


def bands_of(config: Any) -> str:
    """Return the bands that cutouts need, such as ``grz``; empty where only the weights tell."""
    if config.bands:
        return config.bands
    if config.weights_from_butler:
        return ""
    return "".join(find_weights(config.weights).card.bands)


def complete_patches(references: Iterable[Any], bands: str) -> list[Any]:
    """Return the coadds of some bands, of the patches that have all of them.

    Parameters
    ----------
    references : iterable of lsst.daf.butler.DatasetRef
        With ``tract``, ``patch`` and ``band``; other bands, such as u and y, are left out.
    bands : str
        A letter each.

    Returns
    -------
    list of lsst.daf.butler.DatasetRef
    """
    patches: dict[tuple, dict[str, Any]] = defaultdict(dict)
    for reference in references:
        place = reference.dataId
        patches[place["tract"], place["patch"]][place["band"]] = reference
    return [found[band] for found in patches.values() if {*bands} <= {*found} for band in bands]
