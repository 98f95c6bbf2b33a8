"""The queue in Postgres: claims, marks, outcomes, and who waits."""
