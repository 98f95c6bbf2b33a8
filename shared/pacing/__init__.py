"""How fast HubSpot may be asked."""
