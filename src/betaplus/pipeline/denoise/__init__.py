"""The denoise verb from files to files."""

from betaplus.pipeline.denoise.request import DenoiseRequest
from betaplus.pipeline.denoise.run import DenoiseRun, run_denoise

__all__ = ["DenoiseRequest", "DenoiseRun", "run_denoise"]
