"""Two tracers in one scan: how they mix, how well they can be told apart, and what a pair leaves.

`mixing` is the measurement, `projection` puts a pair back onto it, `residual_check` says whether a
pair explains it, and `separability` bounds what any unbiased estimate can reach.
"""

from betaplus.physics.dual.mixing import Mixing, undo_decay_correction
from betaplus.physics.dual.projection import project_pair
from betaplus.physics.dual.residual_check import ResidualCheck, check_residual
from betaplus.physics.dual.separability import Separability, TracerKinetics, separability

__all__ = [
    "Mixing",
    "ResidualCheck",
    "Separability",
    "TracerKinetics",
    "check_residual",
    "project_pair",
    "separability",
    "undo_decay_correction",
]
