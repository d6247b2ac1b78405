"""Networks that can be run backwards exactly: LU 1x1 convolutions and affine couplings."""
