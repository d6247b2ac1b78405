"""The kinetics verb: files in, maps or tables with their sidecars, report and record out."""

from betaplus.pipeline.kinetics.request import KineticsRequest
from betaplus.pipeline.kinetics.result import KineticsResult
from betaplus.pipeline.kinetics.run import run_kinetics

__all__ = ["KineticsRequest", "KineticsResult", "run_kinetics"]
