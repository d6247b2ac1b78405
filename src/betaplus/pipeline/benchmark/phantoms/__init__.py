"""The benchmark of simulated people."""
