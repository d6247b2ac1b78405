"""Kinetic modelling."""
