"""The background side: turns due calls into HubSpot notes."""
