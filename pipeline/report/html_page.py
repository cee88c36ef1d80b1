"""The page itself: HTML filled from a template, and the run's data beside it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from catalogs.flags import Flag
from catalogs.software import software_name
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging
from lsbg_classifier.training.score_tables import Section
from pipeline.report.candidates import Candidates
from pipeline.report.choice import Choice
from pipeline.report.data import visible, write_data
from pipeline.report.plots import Plot
from pipeline.report.queue import queue_facts
from pipeline.report.run_data import arrays_of, facts_of

_SCRIPTS = (
    "data.js words.js pictures.js wide.js heat.js look.js csv.js labels.js session.js likeness.js "
    "other.js selection.js gallery.js table.js skymap.js marks.js goto.js export.js threshold.js "
    "detail.js labelling.js state.js main.js"
).split()

_KEYS = (
    ("?", "everywhere", "show these keys"),
    ("arrows", "gallery, table", "go to another candidate"),
    ("Home, End", "gallery, table", "go to the first or last candidate"),
    ("Enter", "gallery, table", "open the candidate"),
    ("L, A, U", "everywhere", "label as LSBG, artifact or unsure"),
    ("N", "everywhere", "write a note"),
    ("X", "gallery, table", "mark the candidate; with Shift, all from the last mark to it"),
    ("M", "gallery, table, candidate", "show the candidates that are most like it first"),
    ("← →", "candidate", "go to the one before or after"),
    ("H", "candidate, labelling", "lay the heat map over the picture"),
    ("W", "candidate, labelling", "show a wider field"),
    ("Z", "everywhere", "undo the last label, or the last labels given together"),
    ("Backspace, ←", "labelling", "go back"),
    ("→", "labelling", "go on without a label"),
    ("Esc", "candidate", "close it"),
)
"""What the page's keys do, and where."""
_PROVENANCE = {
    "weights": "weights",
    "weights_sha256": "sha256 of the weights",
    "source": "images",
    "software": "annotated by",
    "engine": "network run by",
    "date": "on",
    "threshold": "threshold",
    "prior": "fraction of LSBGs assumed",
    "select": "selection",
    "mismatch": "images other than those of the weights",
}

_TOLD_BY = {"truth": "Truth", "labels": "Given label"}


@dataclass(frozen=True)
class Content:
    """Everything that the page says.

    Attributes
    ----------
    candidates : Candidates
    choice : Choice
    threshold : float
    provenance : mapping of str to str
        See `catalogs.Catalog.provenance`.
    imaging : Imaging or None
        What the cutouts show; None where there are none.
    have : array of bool, shape (gallery,)
        Which candidates of the gallery have a cutout.
    columns : sequence of dict
        ``name``, ``kind``, ``unit`` and ``description`` of the catalog's columns.
    heat_maps : int
        The first so many candidates have a heat map.
    plots : sequence of Plot
    sections : sequence of Section
    notes : sequence of str
        What the reader must know first.
    told_by : str
        Where known labels are from: ``truth`` or ``labels``.
    more : mapping
        What the page's data say that only some reports have; see `likeness`, `other_weights` and
        `wide`.
    """

    candidates: Candidates
    choice: Choice
    threshold: float
    provenance: Mapping[str, str]
    imaging: Imaging | None
    have: np.ndarray
    columns: Sequence[dict]
    heat_maps: int
    plots: Sequence[Plot]
    sections: Sequence[Section]
    notes: Sequence[str]
    told_by: str = "truth"
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the catalog."""
        return visible(Path(self.candidates.catalog.path).name)


def write_page(content: Content, folder: Path):
    """Write HTML, styles, scripts and ``data/run.js`` into a folder that has ``data`` already.

    Parameters
    ----------
    content : Content
        What the page shows.
    folder : Path
        The report's folder.
    """
    with as_file(files("pipeline.report") / "page") as page:
        for name in ("page.css", "icon.svg", *_SCRIPTS):
            shutil.copyfile(page / name, folder / name)
        (folder / "index.html").write_text(_html(content, page), encoding="utf-8")
    write_data(folder / "data" / "run.js", "run", _run(content))


def _run(content: Content) -> dict:
    """Return the data that the page begins with."""
    candidates = content.candidates
    return {
        **arrays_of(candidates, content.choice, content.have),
        **facts_of(candidates, content.imaging, content.columns, content.heat_maps),
        "name": content.name,
        "threshold": content.threshold,
        **queue_facts(content.choice.plan, content.provenance),
        "truthName": _TOLD_BY[content.told_by],
        **content.more,
    }


def _html(content: Content, page: Path) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(page),
        autoescape=True,
        # what a macro of the template returns is markup; everything else is text
        finalize=lambda value: value if _is_markup(value) else visible(value),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("index.html").render(
        name=content.name,
        software=software_name(),
        scripts=["data.js", "data/run.js", *_SCRIPTS[1:]],
        tiles=_tiles(content),
        notes=content.notes,
        sections=content.sections,
        plots=content.plots,
        flag_rows=_flag_rows(content.candidates.flags),
        provenance=_provenance(content),
        truth_name=_TOLD_BY[content.told_by],
        gallery_note=_gallery_note(content),
        field_note=field_note(content.imaging),
        to_label_note=_to_label_note(content.choice),
        bands=_bands(content.imaging),
        keys=_KEYS,
    )


def _is_markup(value: object) -> bool:
    """Tell what a macro of the template returned, and numbers, from texts."""
    from markupsafe import Markup

    return isinstance(value, Markup) or not isinstance(value, str)


def _bands(imaging: Imaging | None) -> list[str]:
    """Name the bands of the pictures, blue to red."""
    return ["blue", "green", "red"] if imaging is None else list(imaging.bands)


def _tiles(content: Content) -> list[dict]:
    probability, flags = content.candidates.probability, content.candidates.flags
    tiles = [
        (len(probability), "candidates in the catalog"),
        (len(content.candidates.scored), "with a probability"),
        (np.count_nonzero(probability > content.threshold), f"above {content.threshold:g}"),
        (np.count_nonzero(flags), "with a flag"),
    ]
    return [{"value": f"{value:,}", "text": text} for value, text in tiles]


def _flag_rows(flags: np.ndarray) -> list[dict]:
    counted = [(flag, int(np.count_nonzero(flags & flag))) for flag in Flag]
    return [
        {
            "name": flag.name,
            "rows": f"{count:,}",
            "description": flag.description + ("" if flag.scored else "; not scored"),
        }
        for flag, count in counted
        if count
    ]


def _provenance(content: Content) -> list[dict]:
    catalog = content.candidates.catalog
    facts = {"catalog": f"{Path(catalog.path).name} ({catalog.format}, {catalog.row_count:,} rows)"}
    columns = catalog.position_columns
    facts["position"] = f"{columns.ra}, {columns.dec} ({columns.unit})"
    for name, text in _PROVENANCE.items():
        if name in content.provenance:
            facts[text] = content.provenance[name]
    if content.imaging is not None:
        facts["cutouts"] = field_note(content.imaging)
    facts["report by"] = software_name()
    return [{"name": name, "value": value} for name, value in facts.items()]


def field_note(imaging: Imaging | None) -> str:
    """Say what cutouts show; nothing where there are none."""
    if imaging is None:
        return ""
    side = imaging.pixel_scale * CUTOUT_SIZE
    return f'{side:.1f}" across in {"".join(imaging.bands)}, north up, east left'


def _gallery_note(content: Content) -> str:
    choice = content.choice
    if not choice.left_out:
        return f"All {len(choice.rows):,} candidates."
    return (
        f"{len(choice.rows):,} candidates: the highest probabilities, the set to label, and one "
        f"in ten drawn at random from the rest; {choice.left_out:,} more are in the catalog."
    )


def _to_label_note(choice: Choice) -> str:
    random = int(np.count_nonzero(choice.is_random))
    return f"{choice.plan.describe(len(choice.is_random) - random)}, {random} random"
