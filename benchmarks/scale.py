"""Speed and memory at survey scale; rewrites the tables in docs/scale.md, one a part.

    python -m benchmarks.scale [--only tiles,viewer,catalogs] [--rows 10000000] [--write]

Each ratio is measured in one run. About 5 GB of disk are needed for a while in the folder of
temporary files.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import catalogs, tiles, viewer
from benchmarks.table import markdown, write_into
from lsbg_classifier.backend import start_backend
from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
PARTS = ("tiles", "viewer", "catalogs")


def main():
    """Measure, print the table, and write it into the page when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="Parts, separated by commas.")
    parser.add_argument("--rows", type=int, default=10_000_000, help="Rows of the large catalogs.")
    parser.add_argument("--write", action="store_true", help="Rewrite the tables in docs/scale.md.")
    options = parser.parse_args()
    start_backend()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for part in options.only.split(","):
            if part == "tiles":
                rows = tiles.measure(scratch / "tiles")
            elif part == "viewer":
                rows = viewer.measure()
            elif part == "catalogs":
                plan = SurveyPlan(tiles=1, tile_size=1000, seed=1)
                survey = simulate_survey("des", scratch / "survey", plan)
                rows = catalogs.measure(scratch, survey.tiles, options.rows)
            else:
                parser.error(f"--only takes {', '.join(PARTS)}")
            sys.stdout.write(f"{markdown(rows)}\n\n")
            if options.write:
                write_into(PAGE, rows, (f"<!-- {part}: begin -->", f"<!-- {part}: end -->"))


if __name__ == "__main__":
    main()
