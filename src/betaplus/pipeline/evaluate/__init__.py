"""The evaluate verb: images and a reference in, tables of errors, report and record out."""

from betaplus.pipeline.evaluate.request import EvaluateRequest
from betaplus.pipeline.evaluate.run import EvaluateResult, run_evaluate

__all__ = ["EvaluateRequest", "EvaluateResult", "run_evaluate"]
