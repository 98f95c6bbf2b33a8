"""Answers to an array of calls: what became of each, in the order in which they were sent."""

from typing import Literal

from pydantic import Field

from api.responses.base import Answer, Failure, Problem, Success
from api.responses.sync_log import IntakeWarning


class StoredResult(Answer):
    """The call is stored durably and will be worked on, behind the live ones."""

    call_id: str
    """Yours."""
    id: str
    """Its entry in the sync log; the first delivery's if this is a copy."""
    duplicate: bool
    """Whether it was stored before, or stands further up in the array, with all that this says."""
    updated: bool
    """Whether it was stored before, or stands further up, and this completes or changes it."""
    warnings: list[IntakeWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of it was left out, cut or guessed; absent if nothing was."""


class RefusedResult(Answer):
    """The call is not stored; the others are."""

    call_id: str | None
    """Yours; null if it cannot be read."""
    error: Problem


class IgnoredResult(Answer):
    """The webhook is of another type and was not recorded."""

    call_id: str | None
    """Yours; null if there is none."""
    ignored: Literal[True] = True
    """Always true."""


class CallsReceived(Success):
    """What became of an array of calls."""

    results: list[StoredResult | RefusedResult | IgnoredResult]
    """One for each element, in order."""
    accepted: int
    """How many are stored, copies included."""
    refused: int
    """How many are not."""
    new: int
    """Of the accepted: calls that were not known."""
    updated: int
    """Of the accepted: deliveries that complete or change a call."""
    duplicates: int
    """Of the accepted: deliveries that say nothing new."""


class WebhookFailure(Failure):
    """Nothing is stored."""

    results: list[RefusedResult] = Field(default=[], exclude_if=lambda results: not results)
    """Of an array: what is wrong with each call; absent otherwise."""
