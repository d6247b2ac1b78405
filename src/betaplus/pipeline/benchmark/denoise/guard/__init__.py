"""Part `guard` of the benchmark of `denoise`."""
