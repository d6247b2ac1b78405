"""Where tracers go: SUV of every region over people, and images painted with it."""

from betaplus.simulation.uptake.paint import paint
from betaplus.simulation.uptake.profile import Group, UptakeProfile
from betaplus.simulation.uptake.regions import REGIONS
from betaplus.simulation.uptake.registry import UPTAKE, find_uptake
from betaplus.simulation.uptake.subject import draw_dose, draw_group, draw_uptake

__all__ = [
    "REGIONS",
    "UPTAKE",
    "Group",
    "UptakeProfile",
    "draw_dose",
    "draw_group",
    "draw_uptake",
    "find_uptake",
    "paint",
]
