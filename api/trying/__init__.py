"""Trying a number or a whole call out before anything depends on it."""
