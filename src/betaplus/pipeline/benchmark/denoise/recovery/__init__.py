"""Part `recovery` of the benchmark of `denoise`."""
