"""Kinetic modelling: posteriors of compartment parameters from curves and images."""

from betaplus.kinetics.compare import Comparison, compare
from betaplus.kinetics.fit import fit
from betaplus.kinetics.method import METHODS
from betaplus.kinetics.prior import PRIORS, Distribution, Prior, find_prior
from betaplus.kinetics.shared import fit_shared

__all__ = [
    "METHODS",
    "PRIORS",
    "Comparison",
    "Distribution",
    "Prior",
    "compare",
    "find_prior",
    "fit",
    "fit_shared",
]
