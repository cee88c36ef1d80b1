"""A candidate catalog in, the annotated catalog out, at the scale of a survey."""

from pipeline.annotate import annotate
from pipeline.show import show
from pipeline.summary import Summary

__all__ = ["Summary", "annotate", "show"]
