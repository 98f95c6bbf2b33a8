"""From bytes to calls: signatures, JSON, fields, and the commit of a group."""
