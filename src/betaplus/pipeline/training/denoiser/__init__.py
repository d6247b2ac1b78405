"""Training of the denoiser of whole-body PET."""
