"""Stages for ceci, in which DESC writes its pipelines.

They are started by ceci's launcher, or by hand::

    python3 -m lsbg_classifier.stages ClassifyLsbgStage --candidates=... --config=config.yml
"""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.cutouts.kept_files import is_kept, kept_folder
from pipeline import annotate
from pipeline.commands.report import report
from pipeline.commands.simulate import simulate
from pipeline.options import OPTIONS, with_value
from pipeline.stages._ceci_base import (
    CsvTable,
    FitsCatalog,
    Folder,
    HatsFolder,
    Hdf5Catalog,
    LsbgStage,
    ParquetCatalog,
    PipelineStage,
    parameters_of,
)
from pipeline.stages._ceci_injection import CompletenessLsbgStage, InjectRecoverLsbgStage
from pipeline.stages._ceci_training import (
    TrainLsbgStage,
    TrainOnLabelsLsbgStage,
    TrainSimulatedLsbgStage,
)
from pipeline.stages._options import options_of, report_options

__all__ = [
    "ClassifyLsbgHatsStage",
    "ClassifyLsbgHdf5Stage",
    "ClassifyLsbgParquetStage",
    "ClassifyLsbgStage",
    "CompletenessLsbgStage",
    "CsvTable",
    "FitsCatalog",
    "Folder",
    "HatsFolder",
    "Hdf5Catalog",
    "InjectRecoverLsbgStage",
    "ParquetCatalog",
    "ReportLsbgParquetStage",
    "ReportLsbgStage",
    "SimulateLsbgStage",
    "TrainLsbgStage",
    "TrainOnLabelsLsbgStage",
    "TrainSimulatedLsbgStage",
    "main",
]

_OF_CECI = (
    *("input_path", "annotated", "output", "folder"),
    *("resume", "overwrite", "in_place", "only", "dry_run", "quiet", "adapt"),
)
"""Options of commands that ceci decides itself, or that its files cannot express as one value."""


class ClassifyLsbgStage(LsbgStage):
    """Add the probability of being an LSBG, and flags, to a FITS table of candidates.

    A stage that was stopped goes on where it was when the pipeline is started again.
    """

    name = "ClassifyLsbgStage"
    inputs = (("candidates", FitsCatalog),)
    outputs = (("annotated_candidates", FitsCatalog),)
    options = tuple(option for option in OPTIONS if option.name not in _OF_CECI)
    config_options = parameters_of(options)

    def work(self):
        """Annotate the catalog."""
        summary = annotate(
            self.get_input("candidates"),
            self.get_output("annotated_candidates"),
            resume=True,
            overwrite=True,
            **with_value(self.values()),
        )
        _say(summary.lines())

    def finalize(self):
        """Move the catalog into place, and the cutouts with it if they are kept."""
        temporary, final_folder = (
            kept_folder(Path(self.get_output("annotated_candidates", final_name=final)))
            for final in (False, True)
        )
        if is_kept(final_folder):
            shutil.rmtree(final_folder)
        super().finalize()
        if temporary.is_dir():
            os.replace(temporary, final_folder)


class ClassifyLsbgParquetStage(ClassifyLsbgStage):
    """Add the probability of being an LSBG, and flags, to a Parquet table of candidates."""

    name = "ClassifyLsbgParquetStage"
    inputs = (("candidates", ParquetCatalog),)
    outputs = (("annotated_candidates", ParquetCatalog),)


class ClassifyLsbgHatsStage(ClassifyLsbgStage):
    """Add the probability of being an LSBG, and flags, to a HATS catalog of candidates."""

    name = "ClassifyLsbgHatsStage"
    inputs = (("candidates", HatsFolder),)
    outputs = (("annotated_candidates", HatsFolder),)


class ClassifyLsbgHdf5Stage(ClassifyLsbgStage):
    """Add the probability of being an LSBG, and flags, to a table of candidates in HDF5."""

    name = "ClassifyLsbgHdf5Stage"
    inputs = (("candidates", Hdf5Catalog),)
    outputs = (("annotated_candidates", Hdf5Catalog),)


class SimulateLsbgStage(LsbgStage):
    """Make a small simulated survey: coadd tiles, candidates found in them, and the truth."""

    name = "SimulateLsbgStage"
    inputs = ()
    outputs = (("candidates", FitsCatalog), ("truth", FitsCatalog), ("coadd_tiles", Folder))
    options = options_of(simulate, without=_OF_CECI)
    config_options = parameters_of(options)

    def work(self):
        """Simulate, and give the parts the names that ceci wants."""
        from lsbg_classifier.simulation.survey import SurveyPlan, simulate_survey

        values = self.values()
        coadds = Path(self.get_output("coadd_tiles"))
        folder = coadds.with_name(f"{coadds.name}.survey")
        name, plan = values.pop("survey"), SurveyPlan(**values)
        products = simulate_survey(
            name, folder, plan, processes=os.cpu_count() or 1, overwrite=True
        )
        os.replace(products.candidates, self.get_output("candidates"))
        os.replace(products.truth, self.get_output("truth"))
        shutil.rmtree(coadds, ignore_errors=True)
        os.replace(products.tiles, coadds)
        shutil.rmtree(folder)  # the truth of all LSBGs is of use to lsbg completeness alone
        _say([f"{products.candidate_count} candidates, {products.lsbg_count} of them LSBGs"])


class ReportLsbgStage(LsbgStage):
    """Show the best and the worst candidates of a FITS table, and how right they are."""

    name = "ReportLsbgStage"
    inputs = (("annotated_candidates", FitsCatalog),)
    outputs = (("lsbg_report", Folder),)
    options = options_of(report, without=_OF_CECI)
    config_options = parameters_of(options)

    def work(self):
        """Write the report."""
        from pipeline.report import write_report

        _say(
            write_report(
                Path(self.get_input("annotated_candidates")),
                Path(self.get_output("lsbg_report")),
                report_options(self.values()),
            )
        )


class ReportLsbgParquetStage(ReportLsbgStage):
    """Show the best and the worst candidates of a Parquet table, and how right they are."""

    name = "ReportLsbgParquetStage"
    inputs = (("annotated_candidates", ParquetCatalog),)
    outputs = (("lsbg_report", Folder),)


def _say(lines: Iterable[str]):
    """Write to the log of the stage."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""What mpirun and srun tell a process: how many there are, and its number."""


def _first_of(names: Iterable[str]) -> int | None:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isdecimal()), None)


def _without_mpi() -> bool:
    """Turn ``--mpi``, by which ceci starts ``nprocess``, into as many workers of the first process.

    Returns whether this process is another one, which has nothing to do.
    """
    stage, size = PipelineStage.pipeline_stages.get(sys.argv[1], [None])[0], _first_of(_SIZES)
    if "workers" not in getattr(stage, "config_options", {}):
        raise InputError("this stage is one process; leave out nprocess")
    if size is None:
        raise InputError("no mpirun or srun has started this process; leave out --mpi")
    sys.argv = [*(word for word in sys.argv if word != "--mpi"), f"--workers={size}"]
    return _first_of(_RANKS) != 0


def main() -> int:
    """Run the stage that the command line names; errors of the user become one line."""
    try:
        if "--mpi" in sys.argv and _without_mpi():
            return 0
        return PipelineStage.main()
    except InputError as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    sys.exit(main())
