"""Tasks for Rubin's science pipelines: a table of candidates from the Butler, and back.

``pipetask run -p resource://lsbg_classifier/stages/rubin.yaml`` runs them.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.astropy_header import describe_for_astropy
from catalogs.errors import InputError
from lsbg_classifier.cores import THREADS
from lsbg_classifier.engines.choice import prepare_engine
from pipeline import annotate
from pipeline.options import with_value
from pipeline.stages._butler_tables import check_storable, read_whole
from pipeline.stages._in_memory import naming_the_catalog
from pipeline.stages._lsst import (
    DatasetProvenance,
    InvalidQuantumError,
    PipelineTask,
    Struct,
)
from pipeline.stages._rubin_config import (
    OPTIONS,
    RENAMED,
    ClassifyLsbgConfig,
    ClassifyLsbgConnections,
    ClassifyLsbgHealpixConfig,
    ClassifyLsbgHealpixConnections,
)
from pipeline.stages._weights_table import unpack_weights, weights_table

__all__ = [
    "ClassifyLsbgConfig",
    "ClassifyLsbgConnections",
    "ClassifyLsbgHealpixConfig",
    "ClassifyLsbgHealpixConnections",
    "ClassifyLsbgHealpixTask",
    "ClassifyLsbgTask",
    "weights_table",
]

_SOURCE = "lsbg.source"


class ClassifyLsbgTask(PipelineTask):
    """Add the probability of being an LSBG, and flags, to the table of a tract."""

    ConfigClass = ClassifyLsbgConfig
    _DefaultName = "classifyLsbg"

    def __init__(self, **options):
        super().__init__(**options)
        prepare_engine(self.config.engine)  # so that the Butler's dataset "packages" names it

    def runQuantum(self, butlerQC, inputRefs, outputRefs):  # noqa: N802, N803
        """Read the inputs from the Butler, annotate the table, and put it back.

        Parameters
        ----------
        butlerQC : lsst.pipe.base.QuantumContext
        inputRefs : lsst.pipe.base.InputQuantizedConnection
            The catalog, and, if configured, coadds and weights.
        outputRefs : lsst.pipe.base.OutputQuantizedConnection
            The annotated catalog.

        Raises
        ------
        lsst.pipe.base.InvalidQuantumError
            If the catalog, the images or the weights cannot be read, or not be stored again.
        """
        inputs = butlerQC.get(inputRefs)
        try:
            with _threads(butlerQC.resources.num_cores):
                annotated = self._annotate(inputs)
        except InputError as error:  # of the configuration or the data, which no retry changes
            ref = inputRefs.catalog.datasetRef
            name = f"{ref.datasetType.name}@{ref.dataId}"
            raise InvalidQuantumError(f"{name}: {error}") from error
        notes = _notes_of(annotated)
        if "coadds" in inputs:  # not the folder of links, which is gone
            notes[_SOURCE] = f"butler:{inputs['coadds'][0].ref.datasetType.name}"
        provenance = butlerQC.dataset_provenance.to_flat_dict(
            outputRefs.annotated, prefix="LSST.BUTLER", sep=".", simple_types=True, max_inputs=2000
        )
        butlerQC.put(Struct(annotated=_described(annotated, notes, provenance)), outputRefs)

    def _annotate(self, inputs: dict) -> pa.Table:
        """Read what the Butler gave, and annotate the catalog."""
        catalog = read_whole(inputs["catalog"])
        check_storable(catalog.schema)
        with TemporaryDirectory(prefix="lsbg-") as folder, ExitStack() as files:
            return self.run(catalog, **_from_butler(inputs, Path(folder), files)).annotated

    def run(
        self, catalog: pa.Table, *, weights: str | None = None, cutouts: str | None = None
    ) -> Struct:
        """Annotate a table.

        Parameters
        ----------
        catalog : pyarrow.Table
            Candidates; positions as in files of Parquet.
        weights, cutouts : str, optional
            Instead of the configuration's: weights by name or path, and the source of cutouts.

        Returns
        -------
        Struct
            ``annotated``, a pyarrow.Table: the same rows, with two more columns at the end.

        Raises
        ------
        InputError
            As in `pipeline.annotate`.
        """
        values = {option.name: getattr(self.config, _field_of(option.name)) for option in OPTIONS}
        values |= {"weights": weights or values["weights"], "cutouts": cutouts or values["cutouts"]}
        with TemporaryDirectory(prefix="lsbg-") as folder:
            before, after = Path(folder) / "catalog.parquet", Path(folder) / "annotated.parquet"
            pq.write_table(catalog, before)
            with _quiet_dask(), naming_the_catalog(before):
                summary = annotate(before, after, **with_value(values))
            annotated = pq.read_table(after)
        for line in summary.lines():
            self.log.info(line)
        self.metadata["candidates"] = summary.rows
        self.metadata["scored"] = summary.scored
        self.metadata["engine"] = _notes_of(annotated)["lsbg.engine"]
        return Struct(annotated=annotated)


class ClassifyLsbgHealpixTask(ClassifyLsbgTask):
    """Add the probability of being an LSBG, and flags, to the table of a HEALPix pixel."""

    ConfigClass = ClassifyLsbgHealpixConfig
    _DefaultName = "classifyLsbgHealpix"


def _field_of(option: str) -> str:
    return RENAMED.get(option, option)


@contextmanager
def _threads(cores: int) -> Iterator[None]:
    """Let a quantum use as many threads as pipetask gives it cores, unless LSBG_THREADS is set."""
    if os.environ.get(THREADS):
        yield
        return
    os.environ[THREADS] = str(cores)
    try:
        yield
    finally:
        del os.environ[THREADS]


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep back what Dask says in passing, which pipetask would show."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _from_butler(inputs: dict, folder: Path, files: ExitStack) -> dict[str, str]:
    """Put what the Butler gave into a folder; returns the arguments of `run` that name it."""
    arguments = {}
    if "weights" in inputs:
        arguments["weights"] = str(unpack_weights(inputs["weights"], folder).path)
    if "coadds" in inputs:
        arguments["cutouts"] = f"tiles:{_link_coadds(inputs['coadds'], folder, files)}"
    return arguments


def _link_coadds(handles, folder: Path, files: ExitStack) -> Path:
    """Link the files of coadds into one folder, under names that the source of tiles knows."""
    tiles = folder / "coadds"
    tiles.mkdir()
    for handle in handles:
        uri = handle.butler.getURI(handle.ref)
        if not uri.path.endswith((".fits", ".fits.fz", ".fit")):
            raise InputError(f"{uri}: not a FITS file, and no other coadds can be read")
        local = files.enter_context(uri.as_local())
        suffix = ".fits.fz" if uri.path.endswith(".fz") else ".fits"
        place = handle.dataId
        link = tiles / f"tract{place['tract']}-patch{place['patch']}_{place['band']}{suffix}"
        link.symlink_to(local.ospath)
    return tiles


def _notes_of(annotated: pa.Table) -> dict[str, str]:
    """Return what `annotate` says of the new columns in the metadata of the schema."""
    metadata = annotated.schema.metadata.items()
    return {key.decode(): value.decode() for key, value in metadata if key.startswith(b"lsbg.")}


def _described(annotated: pa.Table, notes: dict[str, str], provenance: dict) -> pa.Table:
    """Say where it comes from, for pyarrow and for astropy; that of the input's own file goes."""
    encoded = {key.encode(): value.encode() for key, value in notes.items()}
    annotated = annotated.replace_schema_metadata({**annotated.schema.metadata, **encoded})
    strip = DatasetProvenance.strip_provenance_from_flat_dict
    schema = describe_for_astropy(annotated.schema, {**notes, **provenance}, strip)
    return annotated.replace_schema_metadata(schema.metadata)
