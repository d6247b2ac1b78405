"""The report of the evaluate verb."""

from betaplus.report.evaluate.report import evaluate_report

__all__ = ["evaluate_report"]
