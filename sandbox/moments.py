"""Points in time as HubSpot writes and reads them."""

import datetime as dt
import functools


def iso_time(ms: int) -> str:
    """Write epoch milliseconds as HubSpot does: UTC, no fraction when it is zero."""
    moment = dt.datetime.fromtimestamp(ms / 1000, tz=dt.UTC)
    precision = "milliseconds" if ms % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


@functools.lru_cache(maxsize=4096)
def parse_time(text: str) -> int | None:
    """Read epoch milliseconds or ISO 8601 in UTC as epoch milliseconds; None if it is neither."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)
