"""Figures of the reports, drawn by matplotlib without pyplot and held as SVG or PNG."""

from __future__ import annotations

from betaplus.report.figures.canvas import Picture, gallery
from betaplus.report.figures.curves import curve_panel
from betaplus.report.figures.distributions import histograms, marginals
from betaplus.report.figures.inputs import input_panel
from betaplus.report.figures.slices import centre, orthogonal_slices, status_slices

__all__ = [
    "Picture",
    "centre",
    "curve_panel",
    "gallery",
    "histograms",
    "input_panel",
    "marginals",
    "orthogonal_slices",
    "status_slices",
]
