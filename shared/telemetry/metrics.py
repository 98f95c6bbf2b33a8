"""Every figure that the processes count, under the name that Prometheus knows it by.

Labels have few values and never name a user, a connection or an account. Where an alert or a rate
needs a figure from the start, its labels are made at import, so that nothing begins at "no data".
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

# From "at once" to what only a retry after an outage takes.
NOTE_BUCKETS: Final = (
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0),
)
# HubSpot answers in 50 to 500 ms; our timeouts end at 15 s.
REQUEST_BUCKETS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 4.0, 8.0, 16.0)
# A turn waits for at most 1.5 s for a slot.
WAIT_BUCKETS: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
TURN_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
BATCH_BUCKETS: Final = (1, 2, 5, 10, 20, 40, 60, 80, 100)
SHARE_BUCKETS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
INTAKE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def _counter(name: str, help_text: str, label: str, values: Iterable[str]) -> Counter:
    """A counter by one label, whose values exist from the start."""
    counter = Counter(name, help_text, [label])
    for value in values:
        counter.labels(value)
    return counter


BUILD: Final = Gauge(
    "callsync_build_info",
    "1, labelled with what runs here.",
    ["component", "version"],
    multiprocess_mode="max",
)

# The API
WEBHOOKS: Final = Counter(
    "callsync_webhooks", "Webhooks by the HTTP status of the answer.", ["status"]
)
WEBHOOK_SECONDS: Final = Histogram(
    "callsync_webhook_seconds", "How long a webhook waited for its answer.", buckets=INTAKE_BUCKETS
)
WAKE_UPS: Final = _counter(
    "callsync_wake_ups",
    "Wake-ups: published, coalesced with one on its way, or lost because the queue was away.",
    "result",
    ("published", "coalesced", "lost"),
)
MESSAGES_DROPPED: Final = Counter(
    "callsync_messages_dropped", "Messages of the broker's that were none of ours."
)

# Turns
TURNS: Final = Counter("callsync_turns", "Turns by how they ended.", ["end"])
TURN_SECONDS: Final = Histogram(
    "callsync_turn_seconds", "How long turns that claimed calls took.", buckets=TURN_BUCKETS
)
TURN_CALLS: Final = Histogram(
    "callsync_turn_calls", "Calls claimed by a turn.", buckets=BATCH_BUCKETS
)
OUTCOMES: Final = Counter(
    "callsync_outcomes",
    "Outcomes recorded; a call that is retried has several.",
    ["status", "error_code"],
)
WEBHOOK_TO_NOTE_SECONDS: Final = Histogram(
    "callsync_webhook_to_note_seconds",
    "From the webhook to the recorded note, on Postgres's clock.",
    ["lane"],
    buckets=NOTE_BUCKETS,
)
NOTES: Final = _counter(
    "callsync_notes",
    "Notes created, found to exist already (adopted), and second ones archived.",
    "action",
    ("created", "adopted", "archived"),
)
UPDATES: Final = _counter(
    "callsync_updates",
    "Tries to bring an activity up to date, by what the activity is then.",
    "state",
    ("done", "waiting", "failed", "deleted"),
)

# HubSpot
HUBSPOT_REQUESTS: Final = Counter(
    "callsync_hubspot_requests",
    "Requests to HubSpot; the status of one without a whole answer is none.",
    ["endpoint", "method", "status"],
)
HUBSPOT_REQUEST_SECONDS: Final = Histogram(
    "callsync_hubspot_request_seconds",
    "How long HubSpot took to answer, or not to.",
    ["endpoint"],
    buckets=REQUEST_BUCKETS,
)
HUBSPOT_LIMIT_USED: Final = Histogram(
    "callsync_hubspot_limit_used_ratio",
    "What share of the account's ten-second limit was used, by HubSpot's own headers.",
    buckets=SHARE_BUCKETS,
)
BUDGET_WAIT_SECONDS: Final = Histogram(
    "callsync_budget_wait_seconds",
    "How long a request waited for its slot in our own budget of HubSpot's limits.",
    ["budget"],
    buckets=WAIT_BUCKETS,
)
BUDGET_REFUSALS: Final = _counter(
    "callsync_budget_refusals",
    "Requests put off because no slot came free soon enough.",
    "budget",
    ("search", "requests", "tokens"),
)
ACCOUNT_PAUSES: Final = _counter(
    "callsync_account_pauses",
    "HubSpot accounts left alone for a while, by why.",
    "reason",
    ("rolling_limit", "daily_limit", "locked", "unavailable"),
)
TOKEN_REFRESHES: Final = _counter(
    "callsync_token_refreshes",
    "Refreshes of access tokens by their result; busy: another worker is at it.",
    "result",
    ("refreshed", "busy", "revoked", "misconfigured", "unavailable"),
)

# What happens behind the turns
CLAIMS_EXPIRED: Final = Counter(
    "callsync_claims_expired", "Calls taken back from workers that died or froze."
)
SWEEP_SECONDS: Final = Histogram("callsync_sweep_seconds", "How long sweeps took.")
LAST_SWEEP: Final = Gauge(
    "callsync_sweep_last_success_timestamp_seconds",
    "When this worker last swept; the workers take turns.",
    multiprocess_mode="max",
)
HOUSEKEEPING_SECONDS: Final = Histogram(
    "callsync_housekeeping_seconds",
    "How long housekeeping took.",
    buckets=(0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0),
)
LAST_HOUSEKEEPING: Final = Gauge(
    "callsync_housekeeping_last_success_timestamp_seconds",
    "When this worker last kept house; the workers take turns.",
    multiprocess_mode="max",
)
