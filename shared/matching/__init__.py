"""Finding the contact that has a phone number."""
