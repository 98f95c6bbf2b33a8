"""What the service says about itself: logs without secrets, metrics, traces."""
