"""Those who are told how far a run is: its summary, its log, and the progress that is shown."""

from pipeline.progress import Report
from pipeline.run_log import RunLog
from pipeline.summary import Summary
from pipeline.worker import UnitResult


class Observers:
    """The receivers of reports on how far a run is.

    Parameters
    ----------
    summary : Summary
    log : RunLog
    progress : callable or None
        See `pipeline.annotate`.

    Attributes
    ----------
    summary : Summary
    """

    def __init__(self, summary: Summary, log: RunLog, progress: Report | None):
        self.summary, self._log, self._progress = summary, log, progress
        self._done = self._total = 0

    def remarks(self, lines: list[str]):
        """Tell what the job supposes and what is doubtful; see `pipeline.remarks`."""
        self.summary.remarks = lines
        self._log.remarks(lines)

    def begin(self, done: int, total: int):
        """Tell that so many of the selected rows are done already.

        Parameters
        ----------
        done, total : int
        """
        self._done, self._total = done, total
        self._log.resume(done, total)
        self._show_progress()

    def add(self, result: UnitResult):
        """Tell of the results of one unit."""
        self._log.reasons(result.reasons)
        self.summary.add_unit(result)
        self._done += len(result.records)
        self._show_progress()

    def _show_progress(self):
        if self._progress is not None:
            self._progress(self._done, self._total)
