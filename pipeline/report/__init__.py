"""One folder that shows a run: summary, distributions, gallery and labelling, in any browser."""

from pipeline.report.builder import write_report
from pipeline.report.options import ReportOptions

__all__ = ["ReportOptions", "write_report"]
