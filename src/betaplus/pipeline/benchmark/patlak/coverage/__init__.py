"""Part `coverage` of the benchmark of `patlak`."""
