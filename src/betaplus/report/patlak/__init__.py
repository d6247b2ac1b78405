"""The report of the patlak verb."""

from betaplus.report.patlak.report import patlak_report

__all__ = ["patlak_report"]
