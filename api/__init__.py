"""The HTTP side: receives webhooks, runs OAuth, answers the dashboard."""
