"""What operators watch: probes and gauges."""
