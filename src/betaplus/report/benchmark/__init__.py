"""The report of a benchmark."""

from betaplus.report.benchmark.page import benchmark_report

__all__ = ["benchmark_report"]
