"""Call sources: what a vendor's delivery says, and whether it is genuine. One module a vendor.

Nothing here knows a database, HubSpot or Flask, and nothing outside knows a vendor: the registry
is how the rest of the system finds an adapter.
"""
