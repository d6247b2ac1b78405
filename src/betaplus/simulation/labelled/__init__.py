"""A user's own anatomy as a phantom: label images with names, and tissue probability maps."""

from betaplus.simulation.labelled.names import region_of
from betaplus.simulation.labelled.read import read_anatomy
from betaplus.simulation.labelled.tissue_maps import read_tissue_maps

__all__ = ["read_anatomy", "read_tissue_maps", "region_of"]
