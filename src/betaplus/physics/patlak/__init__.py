"""The Patlak model of frames: operator, weights, sums over frames, and the data step of maps."""

from betaplus.physics.patlak.operator import PatlakOperator
from betaplus.physics.patlak.relative import RelativeInput, integral_until
from betaplus.physics.patlak.step import data_step
from betaplus.physics.patlak.sums import PatlakSums
from betaplus.physics.patlak.weights import frame_weights

__all__ = [
    "PatlakOperator",
    "PatlakSums",
    "RelativeInput",
    "data_step",
    "frame_weights",
    "integral_until",
]
