"""Write a report: read the run, choose what to show, collect pictures, fill the page."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from catalogs import InputError
from catalogs.details import ColumnDetail
from catalogs.output import written_whole
from lsbg_classifier.cutouts.kept import KeptSource
from lsbg_classifier.training.figure_style import write_figure
from pipeline.report.candidates import read_candidates
from pipeline.report.choice import Choice, choose
from pipeline.report.columns import chosen_columns, column_data
from pipeline.report.comparison import compare
from pipeline.report.completeness import completeness_sections, draw_completeness
from pipeline.report.data import visible, write_data
from pipeline.report.folder import check_folder, mark_folder
from pipeline.report.heat import find_used_weights
from pipeline.report.html_page import Content, field_note, write_page
from pipeline.report.label_sections import open_labels, score_sections
from pipeline.report.options import ReportOptions
from pipeline.report.other_weights import OtherWeights
from pipeline.report.panel import draw_panel
from pipeline.report.pictures import Pictures, Progress
from pipeline.report.plots import draw_comparison, draw_disagreement, write_plots
from pipeline.report.quantities import find_quantities
from pipeline.report.queue import plan_queue
from pipeline.report.run_figures import save_figures
from pipeline.report.shown import Run, write_shown
from pipeline.report.wide import check_wide

_NO_PROBABILITIES = (
    "No candidate has a probability. The set to label is drawn at random from those with a "
    "position: label it, and train weights on the labels."
)


def write_report(
    annotated: Path | str,
    folder: Path | str,
    options: ReportOptions | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Write a folder that shows a run in any browser: ``index.html`` is the page.

    Parameters
    ----------
    annotated : path
        A catalog that `annotate` wrote.
    folder : path
        Appears under this name only when it is whole.
    options : ReportOptions, optional
    progress : callable, optional
        Called with (pictures done, pictures in all).

    Returns
    -------
    list of str
        The summary, in lines for a terminal.

    Raises
    ------
    InputError
        For anything that the user can correct, in one line: a catalog without our columns, a
        truth of other rows, an unknown source or column, a folder that exists.
    """
    annotated, folder, options = Path(annotated), Path(folder), options or ReportOptions()
    inputs = [annotated, *options.label_files, *([] if options.truth is None else [options.truth])]
    check_folder(folder, map(Path, inputs), options.overwrite)
    candidates = read_candidates(annotated, options.truth, options.catalog_options)
    pictures = Pictures.open(candidates, options.cutouts, options.source_options)
    provenance = candidates.catalog.provenance()
    if options.context is not None:
        check_wide(pictures.source, options.context)
    other = _other_weights(pictures, provenance, options)
    sections, candidates, comparison = _labelled(candidates, pictures, provenance, options)
    threshold = _threshold(options, provenance)
    run = Run(candidates, pictures, provenance, options, threshold, comparison, other)
    columns = chosen_columns(candidates, options.columns)
    with written_whole(folder) as unfinished:
        unfinished.mkdir()
        content = _write(unfinished, run, columns, sections, progress)
    return [*_lines(content), f"wrote {folder / 'index.html'}"]


def _other_weights(pictures, provenance, options) -> OtherWeights | None:
    """Load the weights that the report compares with, if there are any."""
    if options.against is None:
        return None
    if pictures.imaging is None:
        raise InputError(
            "weights are compared on cutouts: keep them with lsbg classify --keep-cutouts, or "
            "name a source with --cutouts"
        )
    return OtherWeights(options.against, provenance.get("weights", "the catalog"))


def _labelled(candidates, pictures, provenance, options):
    """Give the candidates their labels; return sections and notes on labels and weights."""
    if not options.labels:
        return [], candidates, None
    judgements, candidates, section = open_labels(options.labels, candidates)
    if options.against is None:
        return [section], candidates, None
    source = pictures.source if pictures.kept is None else KeptSource(candidates.catalog.path)
    comparison = compare(judgements, source, find_used_weights(provenance), options.against)
    return [comparison.section(), section], candidates, comparison


def _write(folder: Path, run: Run, columns, sections, progress) -> Content:
    """Write everything into a folder that is empty, and return what the page says."""
    candidates, options = run.candidates, run.options
    plan = plan_queue(
        options.strategy, options.labellers, options.overlap, candidates, run.pictures
    )
    choice = choose(
        candidates,
        count=options.count,
        to_label=options.to_label,
        threshold=run.threshold,
        plan=plan,
    )
    (folder / "data").mkdir()
    shown = write_shown(folder, run, choice, progress)
    quantities = find_quantities(candidates.catalog, options.truth)
    told_by = "labels" if options.truth is None else "truth"
    content = Content(
        candidates=candidates,
        choice=choice,
        threshold=run.threshold,
        provenance=run.provenance,
        imaging=run.pictures.imaging,
        have=shown.have,
        columns=[
            _write_column(folder / "data", number, candidates, column, choice)
            for number, column in enumerate(columns)
        ],
        heat_maps=shown.heat_maps,
        plots=write_plots(
            folder / "plots",
            candidates,
            quantities,
            threshold=run.threshold,
            more=partial(_more_plots, run, choice),
        ),
        sections=[
            *score_sections(candidates, run.threshold, told_by),
            *completeness_sections(options.completeness),
            *sections,
        ],
        notes=[*_warnings(run), *plan.notes, *shown.notes],
        told_by=told_by,
        more=shown.more,
    )
    write_page(content, folder)
    if options.figures:
        _write_figures(folder / "figures", run, content, quantities)
    mark_folder(folder, {"catalog": content.name, **run.provenance})
    return content


def _warnings(run: Run) -> list[str]:
    """Say what makes the probabilities less reliable than they seem."""
    warnings = []
    if mismatch := run.provenance.get("mismatch"):
        warnings.append(
            f"The images are not those that the weights were made for ({visible(mismatch)}): the "
            "probabilities are an order in which to look, and no more."
        )
    if not len(run.candidates.scored):
        warnings.append(_NO_PROBABILITIES)
    return warnings


def _more_plots(run: Run, choice: Choice, theme: str = "light"):
    """Draw comparisons of weights and a completeness, where there are any."""
    yield from draw_comparison(run.comparison, theme)
    if run.other is not None:
        old = run.candidates.probability[choice.rows]
        yield from draw_disagreement(old, run.other, run.threshold, theme)
    yield from draw_completeness(run.options.completeness, theme)


def _threshold(options: ReportOptions, provenance: Mapping[str, str]) -> float:
    """Return the threshold of the options, or else that of the catalog."""
    if options.threshold is not None:
        return options.threshold
    text = provenance.get("threshold", "0.5")
    try:
        if 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise InputError(f"the catalog says {visible(text)!r} of its threshold; give --threshold")


def _write_column(folder: Path, number: int, candidates, column: ColumnDetail, choice) -> dict:
    """Write the values of a column, and return what the page says of it."""
    data = column_data(candidates, column, choice.rows)
    write_data(folder / f"column-{number}.js", "column", [number, data])
    kind = "text" if "texts" in data else column.kind
    about = {"name": column.name, "unit": column.unit, "description": column.description}
    return {name: visible(text) for name, text in about.items()} | {"kind": kind}


def _write_figures(folder: Path, run: Run, content: Content, quantities):
    def panel():
        return draw_panel(
            run.candidates,
            run.pictures.read,
            name=Path(run.candidates.catalog.path).name,
            field=field_note(content.imaging),
            threshold=run.threshold,
        )

    save_figures(
        folder,
        run.candidates,
        quantities,
        threshold=run.threshold,
        panel=panel if run.pictures.imaging and len(run.candidates.scored) else None,
    )
    for drawn in _more_plots(run, content.choice):
        write_figure(drawn.figure, folder / f"{drawn.name}.png", pdf=True)


def _lines(content: Content) -> list[str]:
    candidates, choice = content.candidates, content.choice
    lines = [
        f"{len(candidates.scored)} of {len(candidates.probability)} candidates have a probability",
        f"in the gallery: {len(choice.rows)}, {np.count_nonzero(content.have)} with a cutout; "
        f"to label: {len(choice.to_label)}",
    ]
    for section in content.sections:
        lines += section.to_text()
    return [*lines, *(note[:1].lower() + note[1:].rstrip(".") for note in content.notes)]
