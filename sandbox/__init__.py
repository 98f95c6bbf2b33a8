"""A HubSpot look-alike over HTTP for the demo, the tests and the benchmarks."""
