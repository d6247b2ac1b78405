"""The separate verb from files to files."""

from betaplus.pipeline.separation.request import SeparateRequest
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.pipeline.separation.run import run_separate

__all__ = ["SeparateRequest", "SeparateRun", "run_separate"]
