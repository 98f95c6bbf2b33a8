"""Answers about who did what."""

from typing import Any

from api.responses.base import Answer, Moment, Success
from shared.privacy.audit import Action, Actor


class DeedShown(Answer):
    """One thing that somebody did."""

    at: Moment
    """When, in epoch milliseconds."""
    actor: Actor
    """The workspace's user, or an operator of this service."""
    action: Action
    """What was done."""
    address: str | None
    """From which network address; null at the command line."""
    details: dict[str, Any]
    """Ids, names of settings, counts."""


class AuditPage(Success):
    """What was done, newest first."""

    entries: list[DeedShown]
    next_cursor: str | None
    """For the next page; null after the last entry."""
