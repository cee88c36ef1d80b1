"""Colour cutouts of sky positions, from the viewer, from tiles on disk, or from a HiPS."""

from lsbg_classifier.cutouts.source import CutoutSource, open_source

__all__ = ["CutoutSource", "open_source"]
