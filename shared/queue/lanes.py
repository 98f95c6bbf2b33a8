"""The lanes in SQL: going through all of them, and putting a call into that of requeued ones."""

from typing import Final

from shared.reasons import Lane, Status

EVERY_LANE: Final = f"generate_series({min(Lane)}, {max(Lane)}) AS lanes (lane)"

# What every column of a call becomes that is to be worked on anew; its mark and its claim are left
# to whoever requeues it.
REQUEUED: Final = f"""
    status = '{Status.PENDING}', error_code = NULL, error_message = NULL, lane = {Lane.REQUEUED:d},
    next_attempt_at = now(), failures = 0, failing_since = NULL,
    looks = 0, raw_lookup = false, updated_at = now()
"""
