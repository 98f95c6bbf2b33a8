"""The HubSpot API version that every path is built from."""

API_VERSION = "2026-09"
"""Current since 2026-09-08; a dated version is supported for 18 months (Versioning page)."""
