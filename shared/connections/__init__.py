"""A workspace's connection to HubSpot: its life, its tokens and its quotas."""
