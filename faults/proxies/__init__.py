"""What stands between the service and what it uses: slow, lying or away."""
