"""What becomes of the facts of a call."""
