"""``lsbg completeness``: the truth of mocks against an annotated catalog."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import numpy as np

from catalogs import Catalog, open_catalog
from catalogs.blocks import BLOCK_ROWS
from catalogs.columns import find_lsbg_columns
from catalogs.errors import InputError
from catalogs.output import check_parent, written_whole
from lsbg_classifier.completeness.counts import STEPS
from lsbg_classifier.completeness.matching import Sky
from lsbg_classifier.completeness.measure import (
    Candidates,
    Completeness,
    Mocks,
    Settings,
    measure,
    to_json,
)
from pipeline.injection import rubin

_FILES = ("completeness.json", "completeness.csv", "limits.csv", "mocks.csv")
_FIGURES = ("map", "steps")


def read_mocks_table(path: str | Path, band: str = "g") -> Mocks:
    """Read the truth: any catalog with positions, R_EFF, and MU_MEAN_x or MAG_x of some band.

    Column names may be in lower case, such as ``r_eff``. Where a surface brightness is missing, it
    follows from the magnitude and the size. Catalogs of Rubin's ``source_injection`` are read too;
    see `pipeline.injection.rubin`.

    Parameters
    ----------
    path : path
        Any format that ``lsbg classify`` reads.
    band : str
        That of a column ``mag`` of ``source_injection``.

    Returns
    -------
    Mocks

    Raises
    ------
    InputError
        If it cannot be read, or has no positions or no sizes.
    """
    catalog = open_catalog(path)
    properties, rows = _numbers(catalog), np.ones(catalog.row_count, bool)
    if rubin.is_of_source_injection(properties):
        properties, rows = rubin.translated(properties, band), rubin.injected_rows(catalog)
    properties = {name: values[rows] for name, values in properties.items()}
    if "R_EFF" not in properties:
        raise InputError(f"{path}: no column R_EFF, the effective radius in arcsec of each mock")
    area = 2 * np.pi * properties["R_EFF"] ** 2
    for name in [name for name in properties if name.startswith("MAG_")]:
        brightness = f"MU_MEAN_{name.removeprefix('MAG_')}"
        with np.errstate(divide="ignore", invalid="ignore"):
            properties.setdefault(brightness, properties[name] + 2.5 * np.log10(area))
    return Mocks(_sky(catalog, properties.get("REPEAT"), rows), properties)


def read_candidates(path: str | Path) -> Candidates:
    """Read an annotated catalog.

    Parameters
    ----------
    path : path
        What ``lsbg classify`` or ``lsbg inject-recover`` has written. A column REPEAT tells several
        injections into the same sky apart; of Rubin's objects the primary ones are used.

    Raises
    ------
    InputError
        If it cannot be read, or has no probabilities.
    """
    catalog = open_catalog(path)
    ours = find_lsbg_columns(catalog.column_names, path)
    probability, flags = ours["probability"], ours["flags"]
    repeat = next((name for name in catalog.column_names if name.upper() == "REPEAT"), None)
    columns = _columns(catalog, [probability, flags, *([] if repeat is None else [repeat])])
    rows = rubin.primary_rows(catalog)
    repeats = None if repeat is None else columns[repeat][rows]
    return Candidates(
        _sky(catalog, repeats, rows),
        columns[probability][rows].astype(np.float32),
        columns[flags][rows].astype(np.int16),
    )


def _numbers(catalog: Catalog) -> dict[str, np.ndarray]:
    """Read all columns of numbers, by their names in upper case."""
    columns = {}
    for name in catalog.column_names:
        try:
            catalog.read_column(name, 0, 0)
        except InputError:
            continue  # texts are no property that the completeness depends on
        columns[name.upper()] = _columns(catalog, [name])[name]
    return columns


def _columns(catalog: Catalog, names: list[str]) -> dict[str, np.ndarray]:
    blocks = [
        catalog.read_columns(names, start, min(start + BLOCK_ROWS, catalog.row_count))
        for start in range(0, catalog.row_count, BLOCK_ROWS)
    ]
    empty = [np.empty(0) for _ in names]
    joined = [np.concatenate(parts) for parts in zip(*(blocks or [empty]), strict=True)]
    return dict(zip(names, joined, strict=True))


def _sky(catalog: Catalog, groups: np.ndarray | None, rows: np.ndarray) -> Sky:
    positions = [
        catalog.read_positions(start, min(start + BLOCK_ROWS, catalog.row_count))
        for start in range(0, catalog.row_count, BLOCK_ROWS)
    ]
    joined = np.concatenate(positions or [np.empty((0, 2))])[rows]
    return Sky(joined, None if groups is None else groups.astype(np.int64))


def files_of(output: Path) -> list[Path]:
    """Return all that `write_completeness` writes."""
    figures = [f"{name}.{suffix}" for name in _FIGURES for suffix in ("png", "pdf")]
    return [output / name for name in (*_FILES, *figures)]


def check_completeness_output(output: Path, overwrite: bool):
    """Refuse an output folder that cannot be written, or holds an earlier measurement.

    Parameters
    ----------
    output : Path
    overwrite : bool
        Replace an earlier measurement.

    Raises
    ------
    InputError
        If it is a file, its parent is missing or cannot be written, or an earlier measurement may
        not be replaced.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder")
    check_parent(output)
    existing = [path for path in files_of(output) if path.exists()]
    if existing and not overwrite:
        raise InputError(f"{existing[0]}: exists already; add --overwrite to replace it")


def measure_completeness(
    truth: str | Path, annotated: str | Path, output: str | Path, settings: Settings
) -> Completeness:
    """Measure the completeness, and write it as JSON, CSV, PNG and PDF.

    Parameters
    ----------
    truth : path
        See `read_mocks_table`.
    annotated : path
        See `read_candidates`.
    output : path
        Folder; made if missing.
    settings : Settings

    Returns
    -------
    Completeness

    Raises
    ------
    InputError
        If a catalog cannot be used.
    """
    mocks, candidates = read_mocks_table(truth, settings.band), read_candidates(annotated)
    measured = measure(mocks, candidates, settings)
    write_completeness(measured, mocks, Path(output))
    return measured


def write_completeness(measured: Completeness, mocks: Mocks, output: Path):
    """Write a measurement into a folder.

    Parameters
    ----------
    measured : Completeness
    mocks : Mocks
    output : Path
    """
    from lsbg_classifier.completeness.figures import draw_map, draw_steps
    from lsbg_classifier.training.figure_style import write_figure

    output.mkdir(exist_ok=True)
    write_figure(draw_map(measured), output / "map.png", pdf=True)
    write_figure(draw_steps(measured), output / "steps.png", pdf=True)
    _write_text(output / "completeness.csv", _csv(_map_rows(measured)))
    _write_text(output / "limits.csv", _csv(_limit_rows(measured)))
    _write_text(output / "mocks.csv", _csv(_mock_rows(measured, mocks)))
    _write_text(output / "completeness.json", json.dumps(to_json(measured), indent=1) + "\n")


def _write_text(path: Path, text: str):
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["empty"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _short(value) for key, value in row.items()})
    return text.getvalue()


def _short(value):
    """Write floats with six digits; nothing where there is no value."""
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return value


def _map_rows(measured: Completeness) -> list[dict]:
    cells, rows = measured.map, []
    for row in range(len(cells.radius_edges) - 1):
        for column in range(len(cells.brightness_edges) - 1):
            cell = {
                "r_eff_low": float(cells.radius_edges[row]),
                "r_eff_high": float(cells.radius_edges[row + 1]),
                "mu_mean_low": float(cells.brightness_edges[column]),
                "mu_mean_high": float(cells.brightness_edges[column + 1]),
                "mocks": int(cells.mocks[row, column]),
            }
            for step in STEPS:
                recovered, fraction, low, high = (a[row, column] for a in cells.steps[step])
                cell |= {
                    step: int(recovered),
                    f"{step}_fraction": float(fraction),
                    f"{step}_low": float(low),
                    f"{step}_high": float(high),
                }
            rows.append(cell)
    return rows


def _limit_rows(measured: Completeness) -> list[dict]:
    rows = []
    for low, high, mocks, limits in measured.limits:
        row = {"r_eff_low": low, "r_eff_high": high, "mocks": mocks}
        for name, limit in zip(("mu_50", "mu_90"), limits, strict=True):
            row |= {
                f"{name}{'' if key == 'value' else '_' + key}": value
                for key, value in asdict(limit).items()
            }
        rows.append(row)
    return rows


def _mock_rows(measured: Completeness, mocks: Mocks) -> list[dict]:
    """One row a mock: position, size, brightness, and what became of it."""
    recovery, band = measured.recovery, measured.settings.band.upper()
    columns = {
        "ra": mocks.sky.positions[:, 0],
        "dec": mocks.sky.positions[:, 1],
        "r_eff": mocks.properties["R_EFF"],
        "mu_mean": mocks.properties[f"MU_MEAN_{band}"],
        "detection_row": recovery.number,
        "distance": recovery.distance,
        "probability": recovery.probability,
        **{name: mask.astype(int) for name, mask in recovery.passed.items()},
    }
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def lines_of_completeness(measured: Completeness) -> list[str]:
    """Describe a completeness in lines for a terminal or a log.

    Parameters
    ----------
    measured : Completeness
    """
    settings = measured.settings
    lines = [f"{len(measured.recovery.number)} mocks; of these"]
    for name, (part, rate) in measured.steps.items():
        text = f"above {settings.threshold:g}" if name == "above" else name
        lines.append(
            f"  {text}: {part.fraction:.3f} ({part.low:.3f} to {part.high:.3f}); "
            f"{rate:.4f} would be by chance"
        )
    lines.append(f"surface brightness in {settings.band} of 50% and 90% completeness:")
    for low, high, _, limits in measured.limits:
        texts = [
            f"{limit.value:.2f} ({limit.low:.2f} to {limit.high:.2f})"
            if limit.reached == "yes"
            else _UNREACHED.get(limit.reached, limit.reached)
            for limit in limits
        ]
        lines.append(f'  {low:g}" to {high:g}": {texts[0]}; {texts[1]}')
    if measured.model is None:
        lines.append("too few mocks for a smooth model")
    return lines


_UNREACHED = {"never": "not reached", "beyond": "fainter than all mocks"}
