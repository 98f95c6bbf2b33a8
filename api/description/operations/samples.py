"""Values that examples share."""

from datetime import UTC, datetime, timedelta
from typing import Final

from api.responses.sync_log import IntakeWarning, LogAttempt, LogEntry
from shared.reasons import NOT_FOUND_MESSAGE, Reason, Status

LOG_ID: Final = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
CAME_IN: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
CONTACT_URL: Final = "https://app.hubspot.com/contacts/62515/record/0-1/701"
NOTE_HTML: Final = (
    "<p><strong>Inbound call</strong> · 3 min<br>From: +12025550123</p>"
    "<p><strong>Summary</strong><br>Customer interested in product demo.</p>"
    f"<p>Call ID: call_xyz · Ref: {LOG_ID}</p>"
)
SYNCED: Final = LogEntry(
    id=LOG_ID,
    call_id="call_xyz",
    contact_id="701",
    engagement_id="8801",
    status=Status.SUCCESS,
    error_code=None,
    error_message=None,
    phone_number="+12025550123",
    attempts=1,
    next_attempt_at=None,
    created_at=CAME_IN,
    updated_at=CAME_IN + timedelta(seconds=1),
    revision=1,
)
SKIPPED: Final = LogEntry(
    id="hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1a",
    call_id="call_abc",
    contact_id=None,
    engagement_id=None,
    status=Status.SKIPPED,
    error_code=Reason.CONTACT_NOT_FOUND,
    error_message=NOT_FOUND_MESSAGE,
    phone_number="+12025550199",
    attempts=2,
    next_attempt_at=CAME_IN + timedelta(minutes=10),
    created_at=CAME_IN - timedelta(minutes=1),
    updated_at=CAME_IN,
    revision=1,
)
ATTEMPT: Final = LogAttempt(
    started_at=CAME_IN,
    duration_ms=412,
    outcome=Status.SUCCESS,
    error_code=None,
    message=None,
    http_status=None,
    correlation_id=None,
)
WARNING: Final = IntakeWarning(field="duration_seconds", message="is negative: it was left out")
