"""The report and the picture of the demo."""

from __future__ import annotations

from betaplus.report.demo.page import write_demo

__all__ = ["write_demo"]
