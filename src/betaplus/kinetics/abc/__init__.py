"""Approximate Bayesian computation: posteriors from simulations alone."""
