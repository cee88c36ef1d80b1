"""Steps for lsdb and HATS catalogs; see `pipeline.stages.hats`."""

from lsbg_classifier.floors import import_own

_module = import_own("pipeline.stages.hats")
__all__ = [name for name in vars(_module) if not name.startswith("_")]
globals().update({name: getattr(_module, name) for name in __all__})
