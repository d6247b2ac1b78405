"""The patlak verb from files to files."""

from betaplus.pipeline.patlak.request import PatlakRequest
from betaplus.pipeline.patlak.result import PatlakRun
from betaplus.pipeline.patlak.run import run_patlak

__all__ = ["PatlakRequest", "PatlakRun", "run_patlak"]
