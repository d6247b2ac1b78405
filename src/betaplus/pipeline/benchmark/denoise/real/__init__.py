"""Part `real` of the benchmark of `denoise`."""
