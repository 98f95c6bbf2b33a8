"""Connecting a workspace to HubSpot, and its settings."""
