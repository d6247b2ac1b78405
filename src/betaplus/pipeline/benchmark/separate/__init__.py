"""The benchmark of `separate`: two tracers in one scan."""
