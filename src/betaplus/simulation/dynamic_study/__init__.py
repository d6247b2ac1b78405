"""Dynamic FDG studies of bodies and brains for parametric images, with all that is true of them."""

from betaplus.simulation.dynamic_study.person import Person, draw_person
from betaplus.simulation.dynamic_study.protocol import PROTOCOLS, Protocol
from betaplus.simulation.dynamic_study.small import draw_small_study
from betaplus.simulation.dynamic_study.study import PatlakStudy, draw_patlak_study

__all__ = [
    "PROTOCOLS",
    "PatlakStudy",
    "Person",
    "Protocol",
    "draw_patlak_study",
    "draw_person",
    "draw_small_study",
]
