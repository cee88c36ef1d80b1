"""What a worker process and a quantum of Rubin's pipelines cost; rows of `benchmarks.engine`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

from benchmarks.table import Row

_MOST_MEGABYTES = 700
_ROWS = 100

_WORKER = """
import resource, sys
import numpy as np
from lsbg_classifier import load_classifier, open_catalog, open_source
import distributed.worker
catalog = open_catalog(sys.argv[1])
cutouts, _ = open_source(sys.argv[2]).fetch(catalog.read_positions(0, catalog.row_count))
load_classifier().predict(np.resize(cutouts, (256, *cutouts.shape[1:])))
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))
"""


def worker_memory(survey: Path) -> Row:
    """Measure the peak of a process with all that a worker loads, after a unit of work.

    Parameters
    ----------
    survey : Path
        Folder of `simulate_survey`.

    Returns
    -------
    Row
    """
    arguments = [survey / "candidates.fits", f"tiles:{survey / 'tiles'}"]
    command = [sys.executable, "-c", _WORKER, *map(str, arguments)]
    memory = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    what = "peak memory of a worker process, in MB"
    return Row(what, f"{memory} MB", memory, _MOST_MEGABYTES, most=True)


def quantum(survey: Path, folder: Path, tensorflow_seconds: float) -> Row:
    """Measure a quantum of 100 rows inside ``pipetask run``, from its preparation to its end.

    Parameters
    ----------
    survey : Path
        Folder of `simulate_survey`.
    folder : Path
        Gets a repository of the Butler.
    tensorflow_seconds : float
        Of ``import tensorflow``, with which it is compared.

    Returns
    -------
    Row
    """
    root = _repository(survey, folder)
    command = [
        *(str(Path(sys.executable).with_name("pipetask")), "run", "--register-dataset-types"),
        *("-b", str(root), "-i", "input", "-o", "out"),
        *("-p", "resource://lsbg_classifier/stages/rubin.yaml"),
        *("-c", f"classifyLsbg:cutouts=tiles:{survey / 'tiles'}"),
    ]
    seconds = []
    for _ in range(2):
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        seconds.append(_seconds_of(root))
    return Row(
        f"a Rubin quantum of {_ROWS} rows in `pipetask run`, against `import tensorflow`",
        f"{min(seconds):.2f} s, {tensorflow_seconds:.2f} s",
        min(seconds) / tensorflow_seconds,
        0.46,
        most=True,
    )


def _repository(survey: Path, folder: Path) -> Path:
    """Make a repository with the table of one tract."""
    from lsst.daf.butler import Butler, DatasetType

    found = Table.read(survey / "candidates.fits")
    ra, dec = (np.resize(found[name], _ROWS) for name in ("ALPHA_J2000", "DELTA_J2000"))
    table = pa.table({"coord_ra": ra.astype("f8"), "coord_dec": dec.astype("f8")})
    pq.write_table(table, folder / "tract.parquet")
    root = folder / "repo"
    Butler.makeRepo(root)
    with Butler.from_config(root, writeable=True, run="input") as butler:
        sizes = {"tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1}
        butler.registry.insertDimensionData("skymap", {"name": "s", "hash": bytes(20), **sizes})
        butler.registry.insertDimensionData("tract", {"skymap": "s", "id": 1})
        kind = DatasetType(
            "object", ("skymap", "tract"), "ArrowAstropy", universe=butler.dimensions
        )
        butler.registry.registerDatasetType(kind)
        butler.put(Table(table.to_pydict()), kind, skymap="s", tract=1)
    return root


def _seconds_of(root: Path) -> float:
    """Return the seconds of the last quantum, from its preparation to its end."""
    from datetime import datetime

    from lsst.daf.butler import Butler

    with Butler.from_config(root, collections="out") as butler:
        metadata = butler.get("classifyLsbg_metadata", skymap="s", tract=1)
    start, end = (
        datetime.fromisoformat(metadata[f"quantum.{name}"]) for name in ("prepUtc", "endUtc")
    )
    return (end - start).total_seconds()
