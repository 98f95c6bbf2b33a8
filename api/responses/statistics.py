"""Answers about calls over time."""

from pydantic import ConfigDict, Field

from api.responses.base import Answer, Moment, Success
from shared.log.periods import Step


class StatisticsPoint(Answer):
    """The calls that came in within one step of time, by how they ended."""

    model_config = ConfigDict(from_attributes=True)

    at: Moment
    """Where the step begins, in epoch milliseconds."""
    pending: int
    """Still waiting, at most 10,000."""
    success: int
    """In HubSpot."""
    error: int
    """Failed."""
    skipped: int
    """Left out."""
    latency_p50_ms: int | None
    """Half of those in HubSpot took less, from the webhook to the note; at most 10 % off."""
    latency_p95_ms: int | None
    """As above, for 95 of 100."""


class Statistics(Success):
    """Every step of a period, oldest first, also those without calls."""

    bucket: Step
    since: Moment = Field(serialization_alias="from")
    """Where the first step begins, in epoch milliseconds."""
    until: Moment = Field(serialization_alias="to")
    """Where the last step ends, in epoch milliseconds; it may lie ahead."""
    points: list[StatisticsPoint]
    """At most 400."""
