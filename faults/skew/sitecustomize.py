"""Makes Python's clocks in a process wrong by CLOCK_SKEW_S seconds; found through PYTHONPATH.

Monotonic clocks stay right, as they do on a machine whose time of day is wrong.
"""

import datetime as dt
import os
import time

_SKEW_S = float(os.environ["CLOCK_SKEW_S"])
_RIGHT_TIME = time.time


def _wrong_time() -> float:
    return _RIGHT_TIME() + _SKEW_S


class _WrongDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "_WrongDatetime":
        return cls.fromtimestamp(_wrong_time(), tz)


time.time = _wrong_time
dt.datetime = _WrongDatetime  # type: ignore[misc]
