"""Stages for ceci that measure a completeness from mock galaxies."""

import os
import shutil
import sys
from pathlib import Path

from pipeline.commands.completeness import completeness
from pipeline.commands.inject_recover import inject_recover
from pipeline.stages._ceci_base import FitsCatalog, Folder, LsbgStage, parameters_of
from pipeline.stages._options import options_of

_OF_CECI = (
    *("folder", "truth", "annotated", "output"),
    *("resume", "overwrite", "dry_run", "quiet"),
)
"""Options of commands that ceci decides itself."""


class InjectRecoverLsbgStage(LsbgStage):
    """Inject mocks into tiles, find them again, score them, and measure the completeness.

    A stage that was stopped goes on where it was when the pipeline is started again.
    """

    name = "InjectRecoverLsbgStage"
    inputs = (("coadd_tiles", Folder),)
    outputs = (
        ("mock_truth", FitsCatalog),
        ("mock_detections", FitsCatalog),
        ("lsbg_completeness", Folder),
    )
    options = options_of(inject_recover, without=_OF_CECI)
    config_options = parameters_of(options)

    def work(self):
        """Measure, and give the parts the names that ceci wants."""
        from pipeline.injection.completeness import lines_of_completeness
        from pipeline.injection.recover import options_from, prepare_recovery, run_recovery
        from pipeline.job import journal_of

        measured_folder = Path(self.get_output("lsbg_completeness"))
        folder = measured_folder.with_name(f"{measured_folder.name}.run")
        inject, recover, where = options_from(self.values())
        resume = (journal_of(folder) / "job.json").exists()
        tiles = self.get_input("coadd_tiles")
        job = prepare_recovery(
            tiles, folder, inject, recover, where=where, resume=resume, overwrite=True
        )
        measured = run_recovery(job)
        os.replace(folder / "truth.fits", self.get_output("mock_truth"))
        os.replace(folder / "detections.fits", self.get_output("mock_detections"))
        shutil.rmtree(measured_folder, ignore_errors=True)
        os.replace(folder, measured_folder)
        lines = [*job.assumptions(), *lines_of_completeness(measured)]
        sys.stdout.writelines(f"{line}\n" for line in lines)


class CompletenessLsbgStage(LsbgStage):
    """Measure the completeness of an annotated catalog from the truth of mocks."""

    name = "CompletenessLsbgStage"
    inputs = (("mock_truth", FitsCatalog), ("annotated_candidates", FitsCatalog))
    outputs = (("lsbg_completeness", Folder),)
    options = options_of(completeness, without=_OF_CECI)
    config_options = parameters_of(options)

    def work(self):
        """Measure."""
        from lsbg_classifier.completeness.measure import Settings
        from pipeline.injection.completeness import lines_of_completeness, measure_completeness

        settings = Settings(**self.values())
        paths = (self.get_input("mock_truth"), self.get_input("annotated_candidates"))
        measured = measure_completeness(*paths, self.get_output("lsbg_completeness"), settings)
        sys.stdout.writelines(f"{line}\n" for line in lines_of_completeness(measured))
