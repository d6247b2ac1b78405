"""Part `memory` of the benchmark of `patlak`."""
