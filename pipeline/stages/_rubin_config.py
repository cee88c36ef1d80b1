"""What the tasks for Rubin read and write, and their options, which are those of the command."""

from collections.abc import Iterable
from dataclasses import replace

from pipeline.options import OPTIONS as ALL_OPTIONS
from pipeline.options import Option
from pipeline.stages._butler_checks import bands_of, check_configured, complete_patches
from pipeline.stages._lsst import (
    Config,
    Field,
    FieldValidationError,
    Input,
    NoWorkFound,
    Output,
    PipelineTaskConfig,
    PipelineTaskConnections,
    PrerequisiteInput,
    RangeField,
)

_NOT_HERE = (
    "format", "table", "keep_cutouts", "resume", "overwrite", "in_place", "only", "log", "adapt",
)  # fmt: skip
"""Options that the Butler or pipetask decide themselves, or that are for files only."""

RENAMED = {"connections": "source_connections"}
"""Options whose names Rubin's tasks use for something else."""

OPTIONS = tuple(option for option in ALL_OPTIONS if option.name not in _NOT_HERE)
"""The options of the command that the tasks have."""

_CATALOG = "{catalogName}"
_ANNOTATED = "{catalogName}_lsbg"
_TRACT = ("skymap", "tract")
_HEALPIX = 5


def _fields(options: Iterable[Option]) -> dict[str, Field]:
    """Turn options into fields, by name."""
    return {RENAMED.get(option.name, option.name): _field(option) for option in options}


def _field(option: Option) -> Field:
    common = {
        "doc": option.help,
        "dtype": option.kind,
        "default": option.default,
        "optional": option.default is None,
    }
    if option.low is None and option.high is None:
        return Field(**common)
    return RangeField(min=option.low, max=option.high, inclusiveMax=True, **common)


_Options = type(Config)("ClassifyLsbgOptions", (Config,), _fields(OPTIONS))


class ClassifyLsbgConnections(
    PipelineTaskConnections,
    dimensions=_TRACT,
    defaultTemplates={"catalogName": "object", "coaddName": "deep_coadd"},
):
    """A table of candidates per tract in, the same table out with two more columns."""

    catalog = Input(
        doc="Candidates.",
        name=_CATALOG,
        storageClass="ArrowAstropy",
        dimensions=_TRACT,
        deferLoad=True,
    )
    weights = PrerequisiteInput(
        doc="Trained weights, made by weights_table().",
        name="lsbg_weights",
        storageClass="ArrowTable",
        dimensions=(),
    )
    coadds = Input(
        doc="Images that the cutouts are made from; their files are read, which must be FITS.",
        name="{coaddName}",
        storageClass="ExposureF",
        dimensions=(*_TRACT, "patch", "band"),
        multiple=True,
        deferLoad=True,
    )
    annotated = Output(
        doc="The candidates with the probability of being an LSBG, and flags.",
        name=_ANNOTATED,
        storageClass="ArrowAstropy",
        dimensions=_TRACT,
    )

    def __init__(self, *, config=None):
        super().__init__(config=config)
        if not config.weights_from_butler:
            del self.weights
        if not config.coadds_from_butler:
            del self.coadds

    def adjust_all_quanta(self, adjuster):
        """Refuse weights and sources that do not exist or do not match, once for all quanta.

        It is called when the quantum graph is built, before any quantum runs.

        Parameters
        ----------
        adjuster : lsst.pipe.base.QuantaAdjuster

        Raises
        ------
        InputError
            As in `pipeline.annotate`.
        """
        check_configured(self.config)

    def adjustQuantum(self, inputs, outputs, label, data_id):  # noqa: N802
        """Leave out coadds of bands that no cutout needs, and quanta that have no coadds for one.

        Parameters
        ----------
        inputs, outputs, label, data_id
            As of `lsst.pipe.base.PipelineTaskConnections.adjustQuantum`.

        Returns
        -------
        inputs, outputs : mapping
            Connections that changed.

        Raises
        ------
        NoWorkFound
            If there is no patch with coadds of all bands that are needed.
        """
        adjusted = {}
        bands = bands_of(self.config)
        if "coadds" in inputs and bands:
            connection, references = inputs["coadds"]
            kept = complete_patches(references, bands)
            if references and not kept:
                raise NoWorkFound(
                    f"{label} {data_id}: no patch has {connection.name} in the bands {bands}"
                )
            adjusted["coadds"] = (connection, kept)
            inputs.update(adjusted)
        super().adjustQuantum(inputs, outputs, label, data_id)
        return adjusted, {}


class ClassifyLsbgConfig(PipelineTaskConfig, _Options, pipelineConnections=ClassifyLsbgConnections):
    """Options of `ClassifyLsbgTask`: those of the command, and what comes from the Butler.

    ``source_connections`` is the command's ``--connections``, a word that tasks have for
    themselves.
    """

    weights_from_butler = Field[bool](
        doc="Take the weights from the Butler, as the dataset of the connection weights.",
        default=False,
    )
    coadds_from_butler = Field[bool](
        doc="Make the cutouts from the coadds that the Butler knows, instead of from cutouts.",
        default=False,
    )

    def setDefaults(self):  # noqa: N802
        """Name the new columns in Rubin's style."""
        super().setDefaults()
        self.style = "rubin"

    def validate(self):
        """Demand one source of cutouts, and for coadds the survey that tells their scale."""
        super().validate()
        fields = type(self)._fields
        if (self.cutouts is None) == (not self.coadds_from_butler):
            raise FieldValidationError(
                fields["cutouts"], self, "set it, or set coadds_from_butler, and not both"
            )
        if self.coadds_from_butler and self.survey is None:
            raise FieldValidationError(
                fields["survey"], self, "coadds from the Butler need it, for their zero point"
            )


class ClassifyLsbgHealpixConnections(
    PipelineTaskConnections,
    dimensions=(f"healpix{_HEALPIX}",),
    defaultTemplates={"catalogName": "object_healpix"},
):
    """A table of candidates per HEALPix pixel in, the same table out with two more columns."""

    catalog = replace(ClassifyLsbgConnections.catalog, dimensions=(f"healpix{_HEALPIX}",))
    weights = ClassifyLsbgConnections.weights
    annotated = replace(ClassifyLsbgConnections.annotated, dimensions=(f"healpix{_HEALPIX}",))

    def __init__(self, *, config=None):
        super().__init__(config=config)
        self.dimensions = {f"healpix{config.healpix_order}"}
        self.catalog = replace(self.catalog, dimensions=self.dimensions)
        self.annotated = replace(self.annotated, dimensions=self.dimensions)
        if not config.weights_from_butler:
            del self.weights

    def adjust_all_quanta(self, adjuster):
        """Refuse wrong weights and sources; see `ClassifyLsbgConnections.adjust_all_quanta`."""
        check_configured(self.config)


class ClassifyLsbgHealpixConfig(
    ClassifyLsbgConfig, pipelineConnections=ClassifyLsbgHealpixConnections
):
    """Options of `ClassifyLsbgHealpixTask`."""

    healpix_order = RangeField(
        doc="Order of the HEALPix pixels that the tables are divided by.",
        dtype=int,
        default=_HEALPIX,
        min=1,
        max=17,
        inclusiveMax=True,
    )

    def validate(self):
        """Refuse coadds, which are divided by tracts."""
        super().validate()
        if self.coadds_from_butler:
            raise FieldValidationError(
                type(self)._fields["coadds_from_butler"], self, "is for tables by tract only"
            )
