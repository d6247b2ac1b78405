"""NUTS with independence jumps: posteriors by Markov chains, the check of method `exact`."""
