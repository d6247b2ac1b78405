"""The benchmark of the image-space surrogate of simulated scans."""
