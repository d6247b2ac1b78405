"""The benchmarks of `reconstruct` and of its projector."""
