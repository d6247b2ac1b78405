"""Readers and writers: NIfTI with PET-BIDS sidecars, blood, curves, derivatives."""
