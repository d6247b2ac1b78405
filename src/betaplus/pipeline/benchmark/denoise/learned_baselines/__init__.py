"""The learned baselines of Yu et al. (EJNMMI 2025), trained by the benchmark itself."""
