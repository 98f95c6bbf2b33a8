"""Postgres: engines and connections, rights, and the schema's version."""
