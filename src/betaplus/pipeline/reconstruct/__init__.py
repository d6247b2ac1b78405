"""The reconstruct verb from files to files."""

from betaplus.pipeline.reconstruct.request import ReconstructRequest
from betaplus.pipeline.reconstruct.run import ReconstructResult, run_reconstruct

__all__ = ["ReconstructRequest", "ReconstructResult", "run_reconstruct"]
