"""Denoising of PET images: their mean without noise, draws from the posterior, and filters."""

from betaplus.denoising.denoise import DenoiseResult, denoise
from betaplus.denoising.method import METHODS

__all__ = ["METHODS", "DenoiseResult", "denoise"]
