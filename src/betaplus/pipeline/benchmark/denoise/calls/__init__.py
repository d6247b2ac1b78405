"""Part `calls` of the benchmark of `denoise`."""
