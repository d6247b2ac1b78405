"""Benchmarks of the Patlak maps."""
