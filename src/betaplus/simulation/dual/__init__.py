"""Two tracers of one brain in one dynamic scan, with both truths."""

from betaplus.simulation.dual.scan import DualScan, TracerPart, draw_dual, dual_frames
from betaplus.simulation.dual.simulate import simulate_dual

__all__ = ["DualScan", "TracerPart", "draw_dual", "dual_frames", "simulate_dual"]
