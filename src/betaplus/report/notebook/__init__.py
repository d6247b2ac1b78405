"""Nouns and results in notebooks: facts, pictures, the viewer of slices, xarray."""
