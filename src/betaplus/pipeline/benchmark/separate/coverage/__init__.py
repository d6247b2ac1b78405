"""Part `coverage` of the benchmark of `separate`."""
