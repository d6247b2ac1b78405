"""The report of a group of scans."""

from betaplus.report.bids.group import group_report

__all__ = ["group_report"]
