"""Reconstruction with a score model as the prior: diffusion that listens to the counts."""
