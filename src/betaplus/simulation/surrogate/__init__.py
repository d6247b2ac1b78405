"""Noise and resolution of projector and OSEM, in image space: for training pairs on the fly."""
