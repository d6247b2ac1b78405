"""What joins several tasks: the demo and the benchmarks."""
