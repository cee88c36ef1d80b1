"""The options of `annotate`: one definition of each, for the function, the command and the stages.

Each attribute of `Options` is one option: its type, its default, and in its metadata the help text
and the legal range. `OPTIONS` is the table made of them. The command ``lsbg classify``, the stage
for ceci, the tasks for Rubin and the step for lsdb take their options from that table; a test
compares the signature and the docstring of `annotate` with it.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from catalogs.columns import OUTPUT_COLUMNS
from catalogs.errors import InputError
from catalogs.formats import FORMATS
from lsbg_classifier.engines.choice import ENGINES
from lsbg_classifier.surveys import SURVEYS
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS

_KINDS: tuple[type, ...] = (bool, int, float, str, tuple)
_SOURCE_OPTIONS = ("bands", "survey", "tiles", "url", "connections")

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name : str
        As in Python; on the command line with hyphens.
    kind : type
        ``bool``, ``int``, ``float`` or ``str``; paths are ``str``. ``tuple``: two whole numbers.
    default : bool, int, float, str or None
        None: none, or decided by something else.
    help : str
    required : bool
    low, high : float or None
        The legal range, ends included.
    metavar : str, optional
        What stands for the value in help texts.
    whole_run : bool
        Whether the option makes no sense for a part of a catalog.
    is_path : bool
        Whether the value names a file.
    """

    name: str
    kind: type
    default: object
    help: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    metavar: str | None = None
    whole_run: bool = False
    is_path: bool = False

    def check(self, value: Any):
        """Raise `InputError` if a value is out of range."""
        if value is None:
            return
        if self.low is not None and value < self.low:
            raise InputError(f"{self.name} must be at least {self.low:g}, not {value}")
        if self.high is not None and value > self.high:
            raise InputError(f"{self.name} must be at most {self.high:g}, not {value}")


def _about(help: str, *, whole_run: bool = False, **details: object) -> dict[str, object]:
    """Describe an attribute of `Options`; `details` are further attributes of `Option`."""
    return {"help": help, "whole_run": whole_run, **details}


@dataclass(frozen=True)
class Options:
    """How a catalog is annotated; the defaults suit a laptop. See `annotate` for each option."""

    cutouts: str = field(
        metadata=_about(
            "Take the images from tiles:FOLDER (or a URL), legacysurvey:LAYER, hips:ID or "
            "kept:OUTPUT. The sky viewer's layer of DES is legacysurvey:des-dr1."
        )
    )
    weights: str = field(
        default=DEFAULT_WEIGHTS,
        metadata=_about("Score with these trained weights: a name (see: lsbg weights) or a file."),
    )
    threshold: float | None = field(
        default=None,
        metadata=_about(
            "Count the candidates above this probability in the summary; by default the threshold "
            "of the weights.",
            low=0,
            high=1,
        ),
    )
    prior: float | None = field(
        default=None,
        metadata=_about(
            "Give probabilities for candidates of which this fraction are LSBGs, such as 0.05; by "
            "default the fraction that the weights are for.",
            low=0.001,
            high=0.999,
        ),
    )
    uncertainty: bool = field(
        default=False,
        metadata=_about(
            "Add a column with the spread of the probability: its standard deviation when parts of "
            "the network are dropped at random, 32 times."
        ),
    )
    engine: str = field(
        default="auto",
        metadata=_about(
            "Run the network with this engine: onnx (ONNX Runtime), keras, or auto, which is Keras "
            "where there is a GPU or where ONNX Runtime cannot run it, and else ONNX Runtime."
        ),
    )
    format: str | None = field(
        default=None,
        metadata=_about(
            "Read the catalog as this format, where its content does not say it for sure: "
            f"{', '.join(known.name for known in FORMATS)}.",
            metavar="NAME",
            whole_run=True,
        ),
    )
    table: str | None = field(
        default=None,
        metadata=_about(
            "Read this FITS extension or VOTable table, by name or number, or this path in HDF5.",
            metavar="NAME|N",
            whole_run=True,
        ),
    )
    ra: str | None = field(
        default=None, metadata=_about("Read the right ascension from this column.")
    )
    dec: str | None = field(default=None, metadata=_about("Read the declination from this column."))
    position_unit: str | None = field(
        default=None,
        metadata=_about(
            "Read positions in this unit, whatever the table says: deg, rad, or hourangle (right "
            "ascension in hours)."
        ),
    )
    select: str | None = field(
        default=None,
        metadata=_about(
            "Score only the rows that a cut keeps: des or hsc (the published cuts), a file with a "
            'condition a line, or an expression such as "FLUX_RADIUS_G * 0.263 > 2.5".',
            metavar="des|hsc|FILE|EXPRESSION",
        ),
    )
    pixel_scale: float | None = field(
        default=None,
        metadata=_about(
            "Take FLUX_RADIUS to be in pixels of this many arcsec, for --select des or hsc; by "
            "default those of the image that FITS_LDAC names, of the tiles, or of the survey.",
            metavar="ARCSEC",
        ),
    )
    style: str = field(
        default="auto",
        metadata=_about(
            "Name the new columns in this style: auto (as in the input), upper, lower or rubin."
        ),
    )
    bands: str | None = field(
        default=None, metadata=_about("Use these bands of tiles, blue to red: grz or gri.")
    )
    survey: str | None = field(
        default=None,
        metadata=_about(
            "Make cutouts with the colours and the pixel scale of this survey, where names of "
            f"files do not tell it: {', '.join(SURVEYS)}, or a .toml file that describes one."
        ),
    )
    tiles: str | None = field(
        default=None,
        metadata=_about(
            "Read the names of image files by this pattern, such as '{tile}/{band}-{kind}.fits', "
            "where they are not known ones.",
            metavar="PATTERN",
        ),
    )
    url: str | None = field(
        default=None,
        metadata=_about(
            "Ask this server instead of the public one that --cutouts stands for; it must have the "
            "same interface."
        ),
    )
    connections: int | None = field(
        default=None,
        metadata=_about(
            "Send at most this many requests to a server at the same time; 8 by default.", low=1
        ),
    )
    source_options: Mapping[str, object] = field(default_factory=dict)
    scheduler: str | Any | None = field(
        default=None,
        metadata=_about(
            "Use a running Dask scheduler, such as tcp://host:8786; from Python also a Client, or "
            "current for the one that is open.",
            whole_run=True,
        ),
    )
    scheduler_file: str | Path | None = field(
        default=None,
        metadata=_about(
            "Use the Dask scheduler that this file describes, as its --scheduler-file wrote it.",
            whole_run=True,
        ),
    )
    workers: int | None = field(
        default=None,
        metadata=_about(
            "Start this many worker processes instead of threads.", low=1, whole_run=True
        ),
    )
    cluster: str | Path | None = field(
        default=None,
        metadata=_about(
            "Start jobs of Slurm as workers, which this TOML file describes; --dry-run prints the "
            "script.",
            whole_run=True,
        ),
    )
    adapt: tuple[int, int] | None = field(
        default=None,
        metadata=_about(
            "Run from MIN to MAX jobs of --cluster, as the work needs them, and replace jobs that "
            "end.",
            metavar="MIN MAX",
            whole_run=True,
        ),
    )
    chunk_size: int = field(
        default=256,
        metadata=_about(
            "Put this many candidates into a unit of work; those of one tile stay together.", low=1
        ),
    )
    keep_cutouts: bool = field(
        default=False,
        metadata=_about(
            "Keep the cutouts in the folder OUTPUT.cutouts, about 9 kB each: for a report, or for "
            "other weights, as --cutouts kept:OUTPUT.",
            whole_run=True,
        ),
    )
    resume: bool = field(
        default=False, metadata=_about("Continue an unfinished run.", whole_run=True)
    )
    overwrite: bool = field(
        default=False, metadata=_about("Replace OUTPUT if it exists.", whole_run=True)
    )
    in_place: bool = field(
        default=False,
        metadata=_about(
            "Replace INPUT, a single local file, in one step when the new file is whole; without "
            "OUTPUT.",
            whole_run=True,
        ),
    )
    only: str | None = field(
        default=None,
        metadata=_about(
            "Add a second output, OUTPUT_only, with the rows for which this condition is true: an "
            'expression over all columns, such as "P_LSBG > 0.8".',
            metavar="EXPRESSION",
            whole_run=True,
        ),
    )
    overwrite_columns: bool = field(
        default=False,
        metadata=_about("Replace the columns of an earlier run if INPUT has them."),
    )
    vo_metadata: bool = field(
        default=False,
        metadata=_about(
            "Describe the columns of Parquet in a VOTable too (VOParquet).", whole_run=True
        ),
    )
    allow_mismatch: bool = field(
        default=False,
        metadata=_about(
            "Score images that the weights were not made for, as an order in which to look at them."
        ),
    )
    log: str | Path | None = field(
        default=None,
        metadata=_about(
            "Append to this file what happens in the run: assumptions, each reason for a missing "
            "image and how many candidates it concerns, counts, errors.",
            whole_run=True,
        ),
    )

    def __post_init__(self):
        """Refuse numbers out of range, and options that exclude each other."""
        check(OPTIONS, {option.name: getattr(self, option.name) for option in OPTIONS})
        if self.engine not in ENGINES:
            raise InputError(f"unknown engine {self.engine!r}: choose one of {', '.join(ENGINES)}")
        if sum(how is not None for how in self._places) > 1:
            raise InputError("a scheduler, workers and a cluster exclude each other; choose one")
        if self.adapt is not None and self.cluster is None:
            raise InputError("--adapt is for jobs of Slurm; name their file with --cluster")

    @property
    def has_workers(self) -> bool:
        """Whether other processes than this one do the work."""
        return any(how is not None for how in self._places)

    @property
    def _places(self) -> tuple[Any, ...]:
        return self.scheduler, self.scheduler_file, self.workers, self.cluster

    @property
    def of_source(self) -> dict[str, Any]:
        """Options of the cutout source that have a value."""
        named = {name: getattr(self, name) for name in _SOURCE_OPTIONS}
        return {**self.source_options, **with_value(named)}

    @property
    def column_keys(self) -> tuple[str, ...]:
        """Keys of the columns that are written; see `catalogs.columns.OUTPUT_COLUMNS`."""
        return tuple(
            column.key
            for column in OUTPUT_COLUMNS
            if not column.option or getattr(self, column.option)
        )


def with_value(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None, which stands for an option without a value."""
    return {name: value for name, value in values.items() if value is not None}


def kind_of(annotation: object) -> type:
    """Return one of the kinds of `Option` for the type of an option, or of a path."""
    kinds = {get_origin(kind) or kind for kind in get_args(annotation) or (annotation,)}
    return next((kind for kind in _KINDS if kind in kinds), str)


def _from_field(defined: Field, annotation: object) -> Option:
    required = defined.default is MISSING
    return Option(
        name=defined.name,
        kind=kind_of(annotation),
        default=None if required else defined.default,
        required=required,
        is_path=Path in get_args(annotation),
        **defined.metadata,
    )


OPTIONS = tuple(
    _from_field(defined, get_type_hints(Options)[defined.name])
    for defined in fields(Options)
    if defined.metadata
)
"""All options that have a place on a command line: all but ``source_options``."""


def option_named(name: str) -> Option:
    """Return the option of a name."""
    return next(option for option in OPTIONS if option.name == name)


def check(options: Iterable[Option], values: Mapping[str, object]):
    """Raise `InputError` if one of the values is out of its option's range.

    Parameters
    ----------
    options : iterable of Option
    values : mapping
        A value for each of them, by its name.
    """
    for option in options:
        option.check(values[option.name])


def lists_its_options(
    function: Callable[_Parameters, _Result],
) -> Callable[_Parameters, _Result]:
    """Make a function name all its options if it is called with one that it does not have."""
    parameters = inspect.signature(function).parameters.values()
    names = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    known = {one.name for one in parameters}

    @wraps(function)
    def checked(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        for name in options:
            if name not in known:
                raise TypeError(
                    f"{function.__name__} has no option {name!r}; it has {', '.join(names)}"
                )
        return function(*arguments, **options)

    return checked
