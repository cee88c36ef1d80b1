"""The parts used of Rubin's science pipelines, or one line that says what to install."""

from catalogs.extras import not_installed

try:
    from lsst.daf.butler import DatasetProvenance
    from lsst.daf.butler.formatters.parquet import compute_row_group_size
    from lsst.pex.config import Config, Field, FieldValidationError, RangeField
    from lsst.pipe.base import (
        InvalidQuantumError,
        NoWorkFound,
        PipelineTask,
        PipelineTaskConfig,
        PipelineTaskConnections,
        Struct,
    )
    from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput
except ImportError as missing:
    raise not_installed(
        "these tasks need Rubin's lsst-pipe-base and lsst-daf-butler", "rubin"
    ) from missing

__all__ = [
    "Config",
    "DatasetProvenance",
    "Field",
    "FieldValidationError",
    "Input",
    "InvalidQuantumError",
    "NoWorkFound",
    "Output",
    "PipelineTask",
    "PipelineTaskConfig",
    "PipelineTaskConnections",
    "PrerequisiteInput",
    "RangeField",
    "Struct",
    "compute_row_group_size",
]
