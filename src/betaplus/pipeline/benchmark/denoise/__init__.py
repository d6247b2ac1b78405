"""The benchmark of `denoise`."""
