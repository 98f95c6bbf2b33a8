"""The services of this process, and the tenant, sender and quotas of a request."""
