"""`betaplus benchmark prior`: what the diffusion priors know of images that they never saw."""
