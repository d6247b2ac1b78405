"""Training of what is shipped, from simulation to weight bundles."""
