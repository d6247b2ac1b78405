"""Kinetic modelling: posteriors of compartment parameters from curves and images."""

from betaplus.kinetics.fit import fit
from betaplus.kinetics.method import METHODS
from betaplus.kinetics.prior import PRIORS, Distribution, Prior, find_prior

__all__ = ["METHODS", "PRIORS", "Distribution", "Prior", "find_prior", "fit"]
