"""Part `observer` of the benchmark of `denoise`."""
