"""Nouns, units, seeds, errors and progress; numpy only."""

from betaplus.core.errors import BetaplusError, InputError, OutputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer

__all__ = [
    "BetaplusError",
    "FrameTiming",
    "InputCurve",
    "InputError",
    "InputFunction",
    "Marginal",
    "OutputError",
    "PetImage",
    "Posterior",
    "TacTable",
    "Tracer",
    "UsageError",
]
