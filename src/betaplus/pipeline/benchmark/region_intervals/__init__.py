"""Whether intervals of means of regions hold the truth: what benchmarks share."""
