"""Answers to those who try the service out."""

from pydantic import Field

from api.responses.base import Answer, ErrorCode, Success
from api.responses.connection import SettingWarning
from shared.reasons import Status


class SentTestCall(Success):
    """The test call is stored like any other."""

    id: str
    """Its entry in the sync log, where it can be followed."""
    call_id: str
    """Begins with `test_`."""


class PreviewedContact(Answer):
    """A contact that has the number."""

    id: str
    """HubSpot's."""
    name: str
    """First and last name, else the mail address, else the id."""
    email: str | None
    """As it is in HubSpot."""
    phone: str | None
    """As it is in HubSpot; the first of its numbers, in the order in which they are read."""
    url: str
    """The contact's page in HubSpot."""


class Preview(Success):
    """What would become of a call with this number."""

    phone_number: str | None = None
    """The number in full; null when it cannot be read."""
    region: str
    """Where it was read, unless it names its country."""
    contacts: list[PreviewedContact] = Field(default_factory=list)
    """Who has the number, in the order in which the match policy chooses; at most 10."""
    contact_id: str | None = None
    """Who would get the note."""
    status: Status = Status.SKIPPED
    error_code: ErrorCode | None = None
    message: str | None = None
    """Why nobody would get it, in words."""
    note_html: str
    """The note."""
    warnings: list[SettingWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of the settings could not be used; absent where all was."""
