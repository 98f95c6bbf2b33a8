"""Other ways to build this service, written as their authors would, for comparison."""
