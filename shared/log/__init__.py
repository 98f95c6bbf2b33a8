"""The sync log as people see it: pages, tallies, statistics, trouble, retries."""
