"""Call sources as they are stored: options, secrets, deliveries, and calls that nobody owns yet."""
