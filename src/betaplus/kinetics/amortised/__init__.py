"""Posteriors by networks that see a curve through a lean exact pass."""
