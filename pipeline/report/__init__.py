"""One folder that shows a run: summary, distributions, gallery and labelling, in any browser."""

from pipeline.report.options import ReportOptions
from pipeline.report.write import write_report

__all__ = ["ReportOptions", "write_report"]
