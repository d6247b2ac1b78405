"""Whether an answer is right: samplers to compare with, convergence, calibration."""
