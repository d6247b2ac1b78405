"""The report of the reconstruct verb."""

from betaplus.report.reconstruct.report import reconstruct_report

__all__ = ["reconstruct_report"]
