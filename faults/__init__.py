"""The fault suite: real processes, faults between them, and a checker of what became of calls."""
