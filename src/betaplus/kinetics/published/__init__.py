"""PET-TRACER as published: its simulator, its network, its training and its sampler."""
