"""Static studies: a tracer in a phantom at the usual imaging time, as an image with its truth."""

from betaplus.simulation.static.anatomy import SIZES, make_anatomy
from betaplus.simulation.static.scan import StaticScan, draw_static
from betaplus.simulation.static.simulate import simulate_static

__all__ = ["SIZES", "StaticScan", "draw_static", "make_anatomy", "simulate_static"]
