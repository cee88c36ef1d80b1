"""The table of catalog formats: how each is recognised, named, opened and described.

A format is one entry here and one module that holds its class. Installed packages add formats
through the entry-point group ``lsbg_classifier.catalog_formats``: the entry point names a
`CatalogFormat`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs._unreadable import why_no_table
from catalogs.errors import InputError
from catalogs.output import PARQUET_SUFFIXES
from catalogs.packed import PACKED_ENDINGS, beginning_of, packing_of
from catalogs.plugins import load_plugin, package_of

if TYPE_CHECKING:
    from catalogs import Catalog

PLUGIN_GROUP = "lsbg_classifier.catalog_formats"
"""Entry-point group through which other packages add formats."""

_OTHER_ENDINGS = (
    ".7z", ".arff", ".avro", ".csv", ".db", ".dta", ".fz",
    ".json", ".lz4", ".npy", ".npz", ".ods", ".orc", ".pickle", ".pkl", ".root", ".sas7bdat",
    ".sqlite", ".tar", ".xls", ".xlsx", ".yaml", ".z", ".zip",
)  # fmt: skip
"""Endings of formats that are not written at all."""

_GENERIC = {".cat"}
"""Endings that say no format: SourceExtractor writes ``test.cat``, whatever is in it."""

_REFUSED = (
    (
        b"FEA1",
        "Feather version 1",
        'convert it: python -c "import pyarrow.feather as f; '
        "f.write_feather(f.read_table('{name}'), '{stem}_v2.feather')\"",
    ),
    (b"PK\x03\x04", "zip archive or Excel file", "unpack it, or save it as CSV"),
    (b"SQLite format 3", "SQLite", "write the table as CSV"),
)
"""What well-known files that are not read begin with, what they are, and what to do."""


@dataclass(frozen=True)
class Content:
    """The parts of a file by which its format is recognised.

    Attributes
    ----------
    path : Path
    is_folder : bool
    beginning : bytes
        The first bytes of a file, at most 64 KiB, unpacked where it is compressed as a whole;
        without a byte order mark and white space at the start. Empty for a folder.
    """

    path: Path
    is_folder: bool
    beginning: bytes


@dataclass(frozen=True)
class CatalogFormat:
    """One format of catalogs.

    Attributes
    ----------
    name : str
        What ``--format`` and `Catalog.format` call it.
    title : str
        What people call it.
    endings : tuple of str
        Endings of file names that say this format, in lower case; the first is the usual one.
    recognises : callable
        Tells from a `Content` whether it is this format.
    catalog : str
        ``module:Class`` of the `Catalog`, imported when one is opened. The class is called with
        the path and the options ``table``, ``ra``, ``dec`` and ``position_unit``.
    description : str
        One line: what an annotated catalog keeps of its input.
    packable : bool
        Whether files that are compressed as a whole (gzip, bzip2, xz, zstd) are read and written.
    is_text : bool
        Whether people may name it as they like: an ending that the input has is accepted.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    recognises: Callable[[Content], bool]
    catalog: str
    description: str
    packable: bool = False
    is_text: bool = False

    def load(self) -> Callable[..., "Catalog"]:
        """Import the class of its catalogs."""
        module, _, name = self.catalog.partition(":")
        return getattr(import_module(module), name)


def begins_with(*beginnings: bytes) -> Callable[[Content], bool]:
    """Return what recognises files by their first bytes.

    Parameters
    ----------
    *beginnings : bytes
        Any of these may be the first bytes of a file, unpacked, without white space at the start.

    Returns
    -------
    callable
        Given a `Content`, tells whether it is of the format.

    Examples
    --------
    >>> from pathlib import Path
    >>> from catalogs.formats import Content, begins_with
    >>> recognises = begins_with(b"PAR1")
    >>> recognises(Content(Path("a.parquet"), is_folder=False, beginning=b"PAR1..."))
    True
    """
    return lambda content: content.beginning.startswith(beginnings)


def recognised_by(function: str) -> Callable[[Content], bool]:
    """Return what recognises files by a function, ``module:name``, imported when it is needed."""
    module, _, name = function.partition(":")
    return lambda content: getattr(import_module(module), name)(content)


def _is_hats(content: Content) -> bool:
    if not content.is_folder:
        return False
    from catalogs.hats import is_hats

    return is_hats(content.path)


FORMATS = (
    CatalogFormat(
        "hats",
        "HATS catalog or collection",
        (),
        _is_hats,
        "catalogs.hats:HatsCatalog",
        "as Parquet, and the files that describe the catalog",
    ),
    CatalogFormat(
        "fits-folder",
        "folder of FITS tables",
        (),
        recognised_by("catalogs.fits_folder:is_fits_folder"),
        "catalogs.fits_folder:FitsFolderCatalog",
        "every other byte of every file; other files are copied",
    ),
    CatalogFormat(
        "parquet",
        "Parquet file, or folder of them",
        PARQUET_SUFFIXES,
        lambda content: content.is_folder or content.beginning.startswith(b"PAR1"),
        "catalogs.parquet:ParquetCatalog",
        "every value, type, null and note of the other columns; row groups and compression",
    ),
    CatalogFormat(
        "arrow",
        "Arrow IPC file (Feather version 2)",
        (".arrow", ".feather", ".ipc"),
        begins_with(b"ARROW1"),
        "catalogs.arrow:ArrowCatalog",
        "every value, type, null and note of the other columns; batches and compression",
    ),
    CatalogFormat(
        "arrow-stream",
        "Arrow IPC stream",
        (".arrows", ".arrow", ".ipc"),
        begins_with(b"\xff\xff\xff\xff"),
        "catalogs.arrow:ArrowStreamCatalog",
        "as in Arrow IPC files",
    ),
    CatalogFormat(
        "hdf5",
        "HDF5 (of astropy, of tables_io)",
        (".h5", ".hdf5", ".hdf"),
        begins_with(b"\x89HDF"),
        "catalogs.hdf5:Hdf5Catalog",
        "every value, type and attribute of the file; chunks and compression",
    ),
    CatalogFormat(
        "fits",
        "FITS table (binary or ASCII), FITS_LDAC",
        (".fits", ".fit", ".fts", ".ldac", ".cat"),
        begins_with(b"SIMPLE"),
        "catalogs.fits:FitsCatalog",
        "every other byte",
        packable=True,
    ),
    CatalogFormat(
        "votable",
        "VOTable (TABLEDATA, BINARY, BINARY2)",
        (".vot", ".votable", ".xml"),
        begins_with(b"<"),
        "catalogs.votable:VotableCatalog",
        "every other byte; in BINARY and BINARY2, every value of the table itself",
        packable=True,
    ),
    CatalogFormat(
        "ecsv",
        "ECSV",
        (".ecsv",),
        begins_with(b"# %ECSV"),
        "catalogs.ecsv:EcsvCatalog",
        "each line of data; all that the header says",
        packable=True,
    ),
    CatalogFormat(
        "ascii-head",
        "ASCII_HEAD (SourceExtractor's default)",
        (".cat", ".asc", ".txt"),
        recognised_by("catalogs.ascii:looks_like_ascii_head"),
        "catalogs.ascii:AsciiHeadCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "ipac",
        "IPAC table",
        (".tbl", ".ipac"),
        recognised_by("catalogs.ipac:looks_like_ipac"),
        "catalogs.ipac:IpacCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "mrt",
        "machine-readable table (AAS, CDS)",
        (".mrt", ".txt"),
        recognised_by("catalogs.mrt:looks_like_mrt"),
        "catalogs.mrt:MrtCatalog",
        "every other byte; the byte-by-byte description gets two lines",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "skycat",
        "SkyCat table (ASCII_SKYCAT)",
        (".cat", ".scat", ".txt"),
        recognised_by("catalogs.skycat:looks_like_skycat"),
        "catalogs.skycat:SkycatCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "tsv",
        "TSV (VizieR's too)",
        (".tsv", ".tab"),
        recognised_by("catalogs.csv:looks_like_tsv"),
        "catalogs.csv:TsvCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "csv",
        "CSV",
        (".csv",),
        recognised_by("catalogs.csv:looks_like_csv"),
        "catalogs.csv:CsvCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
    CatalogFormat(
        "ascii",
        "ASCII (values between blanks)",
        (".txt", ".asc", ".ascii", ".cat"),
        recognised_by("catalogs.ascii:looks_like_ascii"),
        "catalogs.ascii:AsciiCatalog",
        "every other byte",
        packable=True,
        is_text=True,
    ),
)
"""The formats that this software brings along, in the order in which they are tried."""


@cache
def _plugins() -> tuple[tuple[CatalogFormat, ...], dict[str, InputError]]:
    """Return the formats of installed packages, and what is wrong with those that are broken."""
    formats: dict[str, CatalogFormat] = {}
    broken: dict[str, InputError] = {}
    ours = {known.name for known in FORMATS}
    for point in sorted(entry_points(group=PLUGIN_GROUP), key=lambda point: point.name):
        try:
            plugin = _loaded(point)
        except InputError as error:
            broken[point.name] = error
        else:
            if plugin.name not in ours:
                formats.setdefault(plugin.name, plugin)
    return tuple(formats.values()), broken


def known_formats() -> tuple[CatalogFormat, ...]:
    """Return all formats: those of installed packages come after ours, and replace none of them."""
    return FORMATS + _plugins()[0]


def _loaded(point: EntryPoint) -> CatalogFormat:
    """Import the format that an entry point names."""
    added = load_plugin(point)
    if not isinstance(added, CatalogFormat):
        raise InputError(
            f"{point.name}: the installed package {package_of(point)} offers no CatalogFormat; "
            "fix or remove it"
        )
    return added


def format_named(name: str) -> CatalogFormat:
    """Return the format of that name.

    Raises
    ------
    InputError
        If there is none, or its package is broken; the message lists all names.
    """
    wanted = name.strip().lower()
    for known in known_formats():
        if known.name == wanted:
            return known
    broken = _plugins()[1]
    if wanted in broken:
        raise broken[wanted]
    names = ", ".join(known.name for known in known_formats())
    raise InputError(f"unknown catalog format {name!r}; there are {names}")


def recognise(path: Path) -> CatalogFormat:
    """Tell the format of a file or folder from its content.

    Parameters
    ----------
    path : Path
        Exists.

    Raises
    ------
    InputError
        If it is none that is known, or one that is not read when it is compressed as a whole.
    """
    is_folder = path.is_dir()
    packing = None if is_folder else packing_of(path)
    content = Content(path, is_folder, b"" if is_folder else beginning_of(path))
    for known in known_formats():
        if known.recognises(content):
            if packing is not None and not known.packable:
                raise InputError(
                    f"{path}: {known.title} inside {packing.title}, which is not read; unpack it "
                    f"first: {packing.command} -d {path.name}"
                )
            return known
    for mark, title, advice in _REFUSED:
        if content.beginning.startswith(mark):
            what_to_do = advice.format(name=path.name, stem=path.stem)
            raise InputError(f"{path}: {title}, which is not read; {what_to_do}")
    reason = why_no_table(content.beginning) if not is_folder else ""
    if reason:
        raise InputError(f"{path}: no table that can be read: {reason}")
    raise InputError(f"{path}: of none of the formats {titles()}; convert it to one of them")


def check_name(written: CatalogFormat, source: Path | str, output: Path):
    """Refuse an output whose name says another format than the one that is written.

    Parameters
    ----------
    written : CatalogFormat
        The format of the input, and so of the output.
    source, output : path
        Endings that name no format are accepted, such as ``.cat`` and ``.dat``.

    Raises
    ------
    InputError
        If the ending of the output, or the compression that it names, is not what is written.
    """
    name = Path(output).name.lower()
    packed = Path(name).suffix
    if packed in PACKED_ENDINGS:
        if not written.packable:
            raise InputError(
                f"{output}: {written.title} is not compressed as a whole; leave out {packed}"
            )
        name = name.removesuffix(packed)
    ending = Path(name).suffix
    accepted = {*written.endings}
    if written.is_text:
        accepted.add(_ending(str(source)))
    accepted |= _GENERIC
    others = {e for known in known_formats() for e in known.endings} | {*_OTHER_ENDINGS}
    if ending in others - accepted:
        usual = f"; name it {written.endings[0]}" if written.endings else ""
        raise InputError(
            f"{output}: the output has the format of the input ({written.title}), and the ending "
            f"{ending} does not say so{usual}"
        )


def _ending(name: str) -> str:
    """Return the ending of a name that says its format: not that of a compression."""
    lower = name.lower()
    for packed in PACKED_ENDINGS:
        lower = lower.removesuffix(packed)
    return Path(lower).suffix


def titles(formats: Sequence[CatalogFormat] = FORMATS) -> str:
    """Return the names of formats in one line, for help texts."""
    return ", ".join(known.title for known in formats)


def documented() -> list[str]:
    """Return the table of the formats as lines of Markdown, for the page about them."""
    rows = [("format", "`--format`", "endings", "what survives")]
    for known in FORMATS:
        endings = " ".join(f"`{ending}`" for ending in known.endings)
        packed = " (compressed too)" if known.packable else ""
        rows.append((known.title, f"`{known.name}`", endings + packed, known.description))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], "|---|---|---|---|", *lines[1:]]
