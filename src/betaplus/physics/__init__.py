"""Forward models, noise and decay: no networks, no files."""
