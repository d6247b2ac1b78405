"""The report of the denoise verb."""

from betaplus.report.denoise.report import denoise_report

__all__ = ["denoise_report"]
