"""Part `ablation` of the benchmark of `patlak`."""
