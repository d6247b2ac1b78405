"""Simulated measurements with known truth: phantoms, tracers and complete data sets."""

from betaplus.simulation.curves import PUBLISHED_BOX, draw_tacs, simulate_tacs
from betaplus.simulation.dual import simulate_dual
from betaplus.simulation.dynamic import simulate_dynamic
from betaplus.simulation.static import simulate_static
from betaplus.simulation.tracers import PROFILES, find_profile

__all__ = [
    "PROFILES",
    "PUBLISHED_BOX",
    "draw_tacs",
    "find_profile",
    "simulate_dual",
    "simulate_dynamic",
    "simulate_static",
    "simulate_tacs",
]
