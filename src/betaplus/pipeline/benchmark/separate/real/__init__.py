"""Part `real` of the benchmark of `separate`."""
