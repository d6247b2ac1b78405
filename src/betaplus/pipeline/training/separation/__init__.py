"""Training of the networks that separate two tracers."""
