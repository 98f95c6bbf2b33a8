"""Answers about calls and what became of them."""

from collections.abc import Iterable
from typing import Literal

from pydantic import ConfigDict, Field

from api.responses.base import Answer, ErrorCode, Moment, Success
from shared.calls.content import FieldWarning
from shared.reasons import Status


class IntakeWarning(Answer):
    """What was left out of a call, cut or guessed."""

    field: str
    """The call's field, such as `duration_seconds`."""
    message: str
    """What was done, as it goes on from the field's name; never what the field held."""


def describe_warnings(warnings: Iterable[FieldWarning]) -> list[IntakeWarning]:
    return [IntakeWarning(field=each.field, message=each.message) for each in warnings]


class CallAccepted(Success):
    """The call is stored durably and will be worked on."""

    id: str
    """Its entry in the sync log; the first delivery's if this is a copy."""
    duplicate: bool
    """Whether it was stored before."""
    warnings: list[IntakeWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of this delivery was left out, cut or guessed; absent if nothing was."""


class WebhookIgnored(Success):
    """The webhook is of another type and was not recorded."""

    ignored: Literal[True] = True
    """Always true."""


class LogEntry(Answer):
    """What became of one call."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    """The entry's own id."""
    call_id: str
    """The producer's id."""
    contact_id: str | None
    """The HubSpot contact with the caller's number."""
    engagement_id: str | None
    """The note in HubSpot."""
    status: Status
    error_code: ErrorCode | None
    error_message: str | None
    """The reason in words."""
    phone_number: str | None
    """The caller's number, in full once it was read; null when withheld or erased."""
    attempts: int
    """How often it was tried."""
    next_attempt_at: Moment | None
    """When it is tried or looked up again, in epoch milliseconds; null when it is not."""
    created_at: Moment
    """When the call came in, in epoch milliseconds."""
    updated_at: Moment
    """When the entry changed last, in epoch milliseconds."""


class LogPage(Success):
    """Entries, newest first."""

    logs: list[LogEntry]
    """At most `limit`."""
    total: int
    """How many entries match, counted up to 10,000."""
    total_exact: bool
    """False when there are more than `total`."""
    limit: int
    """How many were asked for."""
    offset: int
    """How many newer ones were left out."""
    next_cursor: str | None
    """Asks for the next page; null on the last one."""


class LogAttempt(Answer):
    """One try of the call."""

    model_config = ConfigDict(from_attributes=True)

    started_at: Moment
    """In epoch milliseconds."""
    duration_ms: int
    """How long it took, the calls tried beside it included."""
    outcome: str
    """The status that it left the call in."""
    error_code: ErrorCode | None
    message: str | None
    """The reason in words; deleted together with the call's contents."""
    http_status: int | None
    """What HubSpot answered with."""
    correlation_id: str | None
    """What HubSpot's support asks for."""


class LogNote(Answer):
    """The note, from the call as it is stored."""

    html: str
    """What stands on the contact's timeline, or would."""
    written: bool
    """Whether it is in HubSpot."""


class LogDetail(Success):
    """One entry with all that is known of it."""

    log: LogEntry
    attempts: list[LogAttempt]
    """Newest first, at most 200."""
    contact_url: str | None
    """The contact's page in HubSpot."""
    warnings: list[IntakeWarning]
    """What of the first delivery was left out, cut or guessed; empty if nothing was."""
    note: LogNote | None
    """Null once the call's contents are deleted."""


class Requeued(Success):
    """What a retry did."""

    requeued: int
    """Calls that are pending again."""
    ignored: int
    """Calls that are synced or wait already, have lost their contents, or are not there."""
