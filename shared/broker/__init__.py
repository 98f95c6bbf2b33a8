"""Redis and Celery: messages, how they are sealed, and what a deployment must offer."""
