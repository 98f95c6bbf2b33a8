"""The control plane under `/sandbox`: what tests, the demo and the benchmarks switch and read."""
