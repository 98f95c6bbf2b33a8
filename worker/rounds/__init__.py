"""One round of a worker: find, write, settle doubts, record."""
