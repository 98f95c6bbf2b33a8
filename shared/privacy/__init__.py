"""Retention, erasure and the record of who looked."""
