"""The sync log for dashboards: pages, exports, statistics, who looked."""
