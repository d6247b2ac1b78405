"""The benchmark of `kinetics`."""
