"""Small scans of two tracers in heads, many and quickly, with all that is true of them."""

from betaplus.simulation.dual_study.lesion_pair import lesion_pair
from betaplus.simulation.dual_study.person import (
    FIRST_CALIBRATION,
    FIRST_TEST,
    FIRST_TRAIN,
    FIRST_TUNING,
    DualPerson,
    draw_dual_person,
)
from betaplus.simulation.dual_study.population import STANDARD, BloodChange, Population
from betaplus.simulation.dual_study.protocol import (
    PROTOCOLS,
    DualProtocol,
    draw_dual_protocol,
    dual_protocol,
    find_dual_protocol,
)
from betaplus.simulation.dual_study.shifts import SHIFTS, shifted
from betaplus.simulation.dual_study.study import DualStudy, draw_dual_study, without_lesions

__all__ = [
    "FIRST_CALIBRATION",
    "FIRST_TEST",
    "FIRST_TRAIN",
    "FIRST_TUNING",
    "PROTOCOLS",
    "SHIFTS",
    "STANDARD",
    "BloodChange",
    "DualPerson",
    "DualProtocol",
    "DualStudy",
    "Population",
    "draw_dual_person",
    "draw_dual_protocol",
    "draw_dual_study",
    "dual_protocol",
    "find_dual_protocol",
    "lesion_pair",
    "shifted",
    "without_lesions",
]
