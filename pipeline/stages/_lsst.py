"""The parts used of Rubin's science pipelines, or one line that says what to install."""

from catalogs.errors import InputError

try:
    from lsst.daf.butler import DatasetProvenance
    from lsst.pex.config import Config, Field, FieldValidationError, RangeField
    from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
    from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput
except ImportError as missing:
    raise InputError(
        "these tasks need Rubin's lsst-pipe-base and lsst-daf-butler, which are not installed "
        "here: pip install lsbg-classifier[rubin]"
    ) from missing

__all__ = [
    "Config",
    "DatasetProvenance",
    "Field",
    "FieldValidationError",
    "Input",
    "Output",
    "PipelineTask",
    "PipelineTaskConfig",
    "PipelineTaskConnections",
    "PrerequisiteInput",
    "RangeField",
    "Struct",
]
