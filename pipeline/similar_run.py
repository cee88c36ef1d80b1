"""One search for similar or odd candidates as the command does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalogs import InputError, check_chosen
from catalogs.output import check_output
from pipeline.feature_file import FeatureFile
from pipeline.make_features import Progress, make_features
from pipeline.report.candidates import Candidates, read_candidates
from pipeline.report.folder import check_folder
from pipeline.report.pictures import Pictures
from pipeline.similar import Match, matches_output, most_similar, oddest, write_matches

_SHOWN = 10
"""Matches that are printed."""


@dataclass(frozen=True)
class SimilarRequest:
    """What to search, and for what.

    Attributes
    ----------
    annotated : Path
    output : Path, optional
        None: beside the catalog.
    row : int, optional
        Find what looks like it.
    odd : bool
        Find what is least like the training.
    count : int
    cutouts : str, optional
        Where images come from that the run did not keep.
    source_options : mapping
    weights : str, optional
        None: those of the catalog.
    page : Path, optional
        Folder of a report of the matches.
    catalog_options : mapping
        As for `pipeline.report.candidates.read_candidates`.
    overwrite : bool
    """

    annotated: Path
    output: Path | None = None
    row: int | None = None
    odd: bool = False
    count: int = 100
    cutouts: str | None = None
    source_options: Mapping[str, object] = field(default_factory=dict)
    weights: str | None = None
    page: Path | None = None
    catalog_options: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False

    @property
    def searches(self) -> bool:
        """Whether anything is searched for; if not, the features alone are made."""
        return self.row is not None or self.odd

    @property
    def written(self) -> Path:
        """Where the matches are written."""
        what = "odd" if self.odd else f"similar_{self.row}"
        return self.output or matches_output(self.annotated, what)


def find_similar(request: SimilarRequest, progress: Progress | None = None) -> list[str]:
    """Make the features where they are missing, search them, write what was found.

    Parameters
    ----------
    request : SimilarRequest
    progress : callable, optional
        Called with (candidates done, candidates in all) while features are made.

    Returns
    -------
    list of str
        The summary, in lines for a terminal.

    Raises
    ------
    InputError
        For anything that the user can correct, before anything is written.
    """
    candidates = read_candidates(request.annotated, None, request.catalog_options)
    _check(request, candidates)
    pictures = Pictures.open(candidates, request.cutouts, request.source_options)
    file = make_features(
        candidates, pictures, request.weights, overwrite=request.overwrite, progress=progress
    )
    have = _have_features(file, candidates)
    if not request.searches:
        return [f"features: {file.path}", *have]
    matches = _matches(request, file)
    write_matches(candidates.catalog, matches, request.written, overwrite=request.overwrite)
    lines = [*_lines(matches, candidates), *have, f"wrote {request.written}"]
    return [*lines, *_write_page(request)]


def _check(request: SimilarRequest, candidates: Candidates):
    """Refuse what would fail after the features were made."""
    rows = candidates.catalog.row_count
    if request.row is not None and request.row >= rows:
        raise InputError(f"{request.annotated}: no row {request.row}: it has rows 0 to {rows - 1}")
    if request.searches:
        check_chosen(candidates.catalog)
        check_output(request.annotated, request.written, request.overwrite)
    elif request.output is not None or request.page is not None:
        raise InputError("OUT and --page need --row N or --odd, which say what to find")
    if request.page is not None:
        check_folder(request.page, [request.annotated, request.written], request.overwrite)


def _have_features(file: FeatureFile, candidates: Candidates) -> list[str]:
    """Say how many candidates cannot be found, if there are any."""
    missing = candidates.catalog.row_count - file.count
    return [f"{missing} candidates have no cutout and are not compared"] if missing else []


def _matches(request: SimilarRequest, file: FeatureFile) -> list[Match]:
    if request.odd:
        return oddest(file, request.count)
    matches = most_similar(file, int(request.row or 0), request.count)
    if not matches:
        raise InputError(f"{file.path}: no other candidate has a cutout")
    return matches


def _lines(matches: list[Match], candidates: Candidates) -> list[str]:
    lines = [f"{len(matches)} found; in the order of the search:"]
    for one in matches[:_SHOWN]:
        distance = f", distance {one.distance:.2f}" if np.isfinite(one.distance) else ""
        oddness = f", oddness {one.oddness:.1f}" if np.isfinite(one.oddness) else ""
        probability = candidates.probability[one.row]
        lines.append(f"row {one.row}: probability {probability:.3f}{distance}{oddness}")
    if len(matches) > _SHOWN:
        lines.append(f"and {len(matches) - _SHOWN} more")
    return lines


def _write_page(request: SimilarRequest) -> list[str]:
    """Write a report of the matches alone; their pictures are those of the whole catalog."""
    if request.page is None:
        return []
    from lsbg_classifier.cutouts.kept import open_kept
    from pipeline.report import ReportOptions, write_report

    kept = open_kept(request.annotated)
    options = ReportOptions(
        cutouts=f"kept:{request.annotated}" if kept is not None else request.cutouts,
        source_options={} if kept is not None else request.source_options,
        overwrite=request.overwrite,
        catalog_options=request.catalog_options,
    )
    return write_report(request.written, request.page, options)[-1:]
