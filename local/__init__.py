"""Everything that runs the whole service on one machine without outside services."""
