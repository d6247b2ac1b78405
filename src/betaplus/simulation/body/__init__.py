"""Bodies without end: organs placed and shaped at random, from the vertex to the thighs."""
