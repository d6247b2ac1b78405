"""Benchmarks: methods against references, their calibration and their speed."""
