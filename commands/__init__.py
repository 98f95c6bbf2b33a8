"""The commands of `callsync`: each reads its options, does one thing, and says what happened."""
