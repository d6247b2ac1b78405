"""Lesions put into a phantom, and painted into its image."""

from betaplus.simulation.lesions.add import add_lesions, draw_number
from betaplus.simulation.lesions.paint import paint_lesions
from betaplus.simulation.lesions.shape import Lesion
from betaplus.simulation.lesions.sites import SITES, Site

__all__ = ["SITES", "Lesion", "Site", "add_lesions", "draw_number", "paint_lesions"]
