"""The report of the separate verb."""

from betaplus.report.separation.report import separation_report

__all__ = ["separation_report"]
