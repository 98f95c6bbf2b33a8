"""The note that a call becomes in HubSpot."""
