"""Whether intervals of region means of reconstructed scans hold the truth."""
