"""One sky position, one cutout, one probability of being a low-surface-brightness galaxy."""

from lsbg_classifier.classifier import Classifier, load_classifier
from lsbg_classifier.cutouts import CutoutSource, open_source

__all__ = ["Classifier", "CutoutSource", "load_classifier", "open_source"]
