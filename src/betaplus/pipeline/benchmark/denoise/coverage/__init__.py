"""Part `coverage` of the benchmark of `denoise`."""
