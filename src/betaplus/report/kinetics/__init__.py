"""The report of the kinetics verb."""

from __future__ import annotations

from betaplus.report.kinetics.report import add_kinetics_sections, kinetics_report

__all__ = ["add_kinetics_sections", "kinetics_report"]
