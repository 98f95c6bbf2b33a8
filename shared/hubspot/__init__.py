"""HubSpot's HTTP API as typed Python: no Flask, no Celery, no database in here."""
