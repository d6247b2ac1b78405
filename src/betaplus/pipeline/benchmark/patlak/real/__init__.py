"""Part `real` of the benchmark of `patlak`."""
