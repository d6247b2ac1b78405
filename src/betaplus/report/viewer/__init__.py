"""Parts of a report that answer: slices to move through, curves to choose."""

from betaplus.report.viewer.regions import curve_explorer
from betaplus.report.viewer.slices import Layer, slice_viewer
from betaplus.report.viewer.voxel_curves import VoxelCurves, curves_from, curves_of

__all__ = ["Layer", "VoxelCurves", "curve_explorer", "curves_from", "curves_of", "slice_viewer"]
