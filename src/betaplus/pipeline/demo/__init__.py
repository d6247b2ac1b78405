"""The demo: a scan made on the spot, posteriors of its kinetics, and how they meet the truth."""

from betaplus.pipeline.demo.result import DemoResult
from betaplus.pipeline.demo.run import run_demo

__all__ = ["DemoResult", "run_demo"]
