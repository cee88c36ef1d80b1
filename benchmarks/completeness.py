"""Whether injection measures the completeness that a simulated survey really has.

python -m benchmarks.completeness FOLDER [--tiles 4] [--size 3000] [--lsbgs 150] [--repeats 2]

A survey is simulated. The completeness of its own LSBGs, all of which are known, is measured
through detection, cut and network; then that of mocks injected into the same tiles. Both are
compared in bins of surface brightness and size that hold at least 30 of each: with 95% intervals,
and by Fisher's exact test, which says how often fractions of the same completeness differ as much.
With N bins they agree where no chance is below 0.05 / N.

--skip-making measures again in a survey that is there.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table
from scipy.stats import fisher_exact

from lsbg_classifier.completeness.measure import Completeness, Settings
from lsbg_classifier.detection.tiles import DetectionRequest
from lsbg_classifier.simulation.survey import SimulatedSurvey, SurveyPlan, simulate_survey
from pipeline.annotate import annotate
from pipeline.injection.completeness import measure_completeness
from pipeline.injection.detect import DetectOptions, prepare_detection, run_detection
from pipeline.injection.inject import InjectOptions
from pipeline.injection.recover import RecoverOptions, prepare_recovery, run_recovery

_LEAST = 30


def of_the_simulation(folder: Path, survey) -> Completeness:
    """Measure the completeness of the survey's own LSBGs."""
    found, scored = folder / "found.fits", folder / "scored.fits"
    options = DetectOptions(DetectionRequest(estimate_i=True))
    run_detection(prepare_detection(survey.tiles, found, options, overwrite=True))
    annotate(found, scored, cutouts=f"tiles:{survey.tiles}", select="des", overwrite=True)
    return measure_completeness(survey.placed, scored, folder / "known", Settings())


def of_mocks(folder: Path, survey, repeats: int) -> Completeness:
    """Measure the completeness of mocks in the survey's tiles."""
    inject = InjectOptions("des", density=0.4, least_distance=60.0)
    recover = RecoverOptions(repeats=repeats)
    job = prepare_recovery(survey.tiles, folder / "injected", inject, recover, overwrite=True)
    return run_recovery(job)


def compare(known: Completeness, mocks: Completeness) -> list[str]:
    """Return a Markdown table of the bins that hold enough of both, and whether they agree."""
    cells, lines, chances = known.map, [], []
    for row in range(len(cells.radius_edges) - 1):
        for column in range(len(cells.brightness_edges) - 1):
            edges = (*cells.radius_edges[row:][:2], *cells.brightness_edges[column:][:2])
            counts = [_count(each.map, edges) for each in (known, mocks)]
            if min(total for total, _ in counts) >= _LEAST:
                line, chance = _bin(edges, counts)
                lines.append(line)
                chances.append(chance)
    agreeing = sum(chance > 0.05 / len(chances) for chance in chances)
    return [
        "| mean surface brightness | radius | of the survey's LSBGs | of mocks | chance |",
        "|---|---|---|---|---|",
        *lines,
        f"{agreeing} of {len(chances)} bins agree",
    ]


def _bin(edges, counts) -> tuple[str, float]:
    parts = []
    for total, recovered in counts:
        low, high = binom_conf_interval(recovered, total, 0.95, interval="wilson")
        parts.append(f"{recovered / total:.2f} ({low:.2f} to {high:.2f}) of {total}")
    table = [[recovered, total - recovered] for total, recovered in counts]
    chance = fisher_exact(table).pvalue
    line = (
        f'| {edges[2]:g} to {edges[3]:g} | {edges[0]:g}" to {edges[1]:g}" | {parts[0]} | '
        f"{parts[1]} | {chance:.2f} |"
    )
    return line, float(chance)


def _count(cells, edges) -> tuple[int, int]:
    """Return how many covered mocks a bin has, and how many came back."""
    rows = np.flatnonzero(np.isclose(cells.radius_edges[:-1], edges[0]))
    columns = np.flatnonzero(np.isclose(cells.brightness_edges[:-1], edges[2]))
    if not len(rows) or not len(columns):
        return 0, 0
    place = rows[0], columns[0]
    return int(cells.steps["covered"][0][place]), int(cells.steps["above"][0][place])


def _survey_in(folder: Path) -> SimulatedSurvey:
    """Return a survey that is in a folder already."""
    names = ("tiles", "candidates.fits", "truth.fits", "placed.fits")
    tiles, candidates, truth, placed = (folder / name for name in names)
    labels = Table.read(truth)["LABEL"]
    return SimulatedSurvey(tiles, candidates, truth, len(labels), int(labels.sum()), placed)


def main():
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--size", type=int, default=3000)
    parser.add_argument("--lsbgs", type=int, default=150, help="per 3000 x 3000 pixels")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--skip-making", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    plan = SurveyPlan(options.tiles, options.size, options.lsbgs, options.seed)
    if options.skip_making:
        survey = _survey_in(options.folder)
    else:
        survey = simulate_survey("des", options.folder, plan, overwrite=True)
    known = of_the_simulation(options.folder, survey)
    mocks = of_mocks(options.folder, survey, options.repeats)
    print("\n".join(compare(known, mocks)))


if __name__ == "__main__":
    main()
