"""Settings: what they are, and how they are read from the environment."""
