"""A call: how it is stored, what is known of it, and whose number counts."""
