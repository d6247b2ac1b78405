"""Coupled fits: a parameter that all regions of a table have in common."""

from betaplus.kinetics.shared.check import SHAREABLE, check_shared
from betaplus.kinetics.shared.fit import fit_shared

__all__ = ["SHAREABLE", "check_shared", "fit_shared"]
