"""The contract of a cutout source, and how a source is named and opened."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib.metadata import EntryPoint
from inspect import Parameter, signature
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import Flag
from catalogs.plugins import find_plugins, load_plugin, package_of
from catalogs.urls import is_url
from lsbg_classifier.positions import degrees_of
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging

ENTRY_POINT_GROUP = "lsbg_classifier.cutout_sources"


@runtime_checkable
class CutoutSource(Protocol):
    """Something that turns sky positions into colour cutouts.

    A source may be used from several threads at once, and one bad position never harms the rest.

    A source may have more methods than those below:

    - ``fingerprint() -> str``: a text that is another once any of the images was replaced, so that
      a job is not resumed with other images;
    - ``assumptions() -> list of str``: what it supposes of its images, such as a zero point;
    - ``fetch_wide(ra, dec, arcsec)``: an image of a wider field, for the report; uint8, RGB;
    - ``close()``: ends its connections.

    Examples
    --------
    A source that ships:

    >>> from lsbg_classifier import CutoutSource, open_source
    >>> source = open_source("tiles:demo/survey/tiles")
    >>> isinstance(source, CutoutSource)
    True
    >>> cutouts, flags = source.fetch([[0.0, 80.0]])
    >>> cutouts.shape, cutouts.dtype
    ((1, 64, 64, 3), dtype('uint8'))

    A source of your own, for images that show the same as another source:

    >>> import numpy as np
    >>> class Grey:
    ...     spec, imaging, connections = "grey:128", source.imaging, None
    ...     def fetch(self, positions):
    ...         shape = len(positions), 64, 64, 3
    ...         return np.full(shape, 128, np.uint8), np.zeros(len(positions), np.int16)
    ...     def group(self, positions):
    ...         return None
    >>> isinstance(Grey(), CutoutSource)
    True
    """

    spec: str
    """The string that opens this source again, in any process."""

    imaging: Imaging
    """What the cutouts show; checked against the weights' card."""

    connections: int | None
    """Simultaneous requests to a server, for all threads together; None for local files."""

    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position.

        Parameters
        ----------
        positions : array of float64, shape (N, 2)
            ICRS right ascension and declination in degrees. Those who call a source through
            `fetch_usable`, as all here do, give only finite ones that are in range; the sources
            that ship flag the others ``NO_POSITION``.

        Returns
        -------
        cutouts : array of uint8, shape (N, 64, 64, 3)
            Row, column, RGB; north up, east left. All zero where there is no usable image.
        flags : array of int16, shape (N,)
            Bits of `catalogs.flags.Flag`.

        Raises
        ------
        InputError
            When nothing can be fetched at all: the source is gone or refuses everything.
        """

    def group(self, positions: np.ndarray) -> np.ndarray | None:
        """Say which positions are cheapest to fetch together.

        Parameters
        ----------
        positions : array of float64, shape (N, 2)
            As for `fetch`.

        Returns
        -------
        array of int32, shape (N,), or None
            A number for each position: those with the same number share an image on disk. -1
            stands for "none". None: the order does not matter.
        """


def empty_cutouts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return blank cutouts, shape (count, 64, 64, 3) uint8, and zero flags, (count,) int16."""
    cutouts = np.zeros((count, CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
    return cutouts, np.zeros(count, np.int16)


Fetch = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""The `fetch` of a source."""


def fetch_usable(fetch: Fetch, positions) -> tuple[np.ndarray, np.ndarray]:
    """Fetch the cutouts of those positions that are on the sphere, and flag the others.

    Parameters
    ----------
    fetch : callable
        As `CutoutSource.fetch`; called only if a position is usable.
    positions : array-like
        As for `lsbg_classifier.positions.degrees_of`.

    Returns
    -------
    cutouts, flags
        As of `CutoutSource.fetch`, ``NO_POSITION`` where a position is not usable. The arrays may
        be changed.
    """
    positions = degrees_of(positions)
    usable = np.isfinite(positions[:, 0])
    if len(positions) and usable.all():
        cutouts, flags = fetch(positions)
        return cutouts, np.array(flags, np.int16)
    cutouts, flags = empty_cutouts(len(positions))
    flags[~usable] = Flag.NO_POSITION
    if usable.any():
        cutouts[usable], flags[usable] = fetch(positions[usable])
    return cutouts, flags


def flags_bad_positions(fetch):
    """Make the method `fetch` of a source take any positions, as `fetch_usable` does."""

    @wraps(fetch)
    def fetch_any(self, positions):
        return fetch_usable(lambda usable: fetch(self, usable), positions)

    return fetch_any


def check_options(kind: str, options: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse options that a source does not take.

    Parameters
    ----------
    kind : str
        What comes before the colon of ``--cutouts``.
    options : mapping
        Those that were given, by name.
    known : sequence of str
        Names of those that it takes.

    Raises
    ------
    InputError
        If one is not known; the message names those that are.
    """
    if unknown := sorted(set(options) - set(known)):
        choice = f"choose from {', '.join(known)}" if known else "leave it out"
        raise InputError(f"{kind}: takes no option {', '.join(unknown)}; {choice}")


def open_source(spec: str, **options) -> CutoutSource:
    """Open the cutout source that a string names.

    Parameters
    ----------
    spec : str
        ``KIND:DETAIL``, for example ``legacysurvey:des-dr1``, ``tiles:FOLDER``, ``tiles:URL``,
        ``hips:CDS/P/DES-DR2/{band}`` or ``kept:ANNOTATED``. Kinds are found through the
        entry-point group ``lsbg_classifier.cutout_sources``, so that other packages can add their
        own.
    **options
        Passed to the source: ``bands``, ``survey`` and ``tiles`` for tiles, ``survey``, ``url``,
        ``connections`` and ``timeout`` (seconds) for servers.

    Returns
    -------
    CutoutSource
        It may be used from several threads.

    Raises
    ------
    InputError
        If the kind is unknown or cannot be loaded, or the source does not take an option.

    Examples
    --------
    >>> from lsbg_classifier import Flag, open_source
    >>> source = open_source("tiles:demo/survey/tiles")
    >>> cutouts, flags = source.fetch([[0.0, 80.0]])  # far from all tiles
    >>> Flag(int(flags[0]))
    <Flag.NO_COVERAGE: 2>
    """
    kind, colon, detail = spec.partition(":")
    kinds = _installed_kinds()
    if not colon or not detail or kind not in kinds:
        source_kinds = ", ".join(f"{name}:..." for name in sorted(kinds))
        is_folder = is_url(spec) or Path(spec).is_dir()
        hint = f"did you mean tiles:{spec}?" if is_folder else f"choose one of {source_kinds}"
        raise InputError(f"unknown cutout source {spec!r}: {hint}")
    opener = load_plugin(kinds[kind])
    _check_taken(kind, opener, options)
    source = opener(detail, **options)
    if not isinstance(source, CutoutSource):
        raise InputError(
            f"{kind}: the installed package {package_of(kinds[kind])} provides no cutout source; "
            "see lsbg_classifier.cutouts.source.CutoutSource"
        )
    return source


def _check_taken(kind: str, opener: Callable, options: Mapping[str, object]) -> None:
    """Refuse options for which what opens a source has no parameter."""
    try:
        taken = signature(opener).parameters
    except ValueError:  # some functions in C do not say what they take
        return
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values()):
        return  # it looks at them itself
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    known = [name for name, parameter in taken.items() if parameter.kind in named]
    if len(known) == len(taken):
        known = known[1:]  # the first takes what is behind the colon
    check_options(kind, options, known)


@cache
def _installed_kinds() -> dict[str, EntryPoint]:
    return {point.name: point for point in find_plugins(ENTRY_POINT_GROUP)}
