"""What happens beside the rounds: the sweep, housekeeping, revoking."""
