"""Part `speed` of the benchmark of `denoise`."""
