"""Diffusion priors of static PET: from simulated people or a user's images to a weight bundle."""
