"""Bodies, headers, errors and slots: HTTP without any knowledge of calls."""
