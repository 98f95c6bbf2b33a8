"""Where calls are written: what a worker's steps ask of a CRM, and all that they know of it.

`shared.activities.hubspot` is the only one there is. The errors are those of its client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from shared.hubspot.errors import (  # noqa: F401 - for those who know no HubSpot
    AccountLockedError,
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    MissingScopesError,
    NetworkError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    TokenRejectedError,
    UnavailableError,
)
from shared.hubspot.models import MAX_ENGAGEMENTS
from shared.matching.finding import Findings
from shared.matching.scope import SearchScope, Stage
from shared.pacing.client import (  # noqa: F401 - likewise
    NoTokenError,
    OutOfBudgetError,
    TokenRenewedError,
)
from shared.phone import PhoneNumber

DestinationError = HubSpotError
"""What every error of a destination is."""

MOST_AT_ONCE: Final = MAX_ENGAGEMENTS
"""Activities in one create, update or read; they are of one kind."""


class ActivityKind(StrEnum):
    """What a call becomes on its contact's timeline."""

    NOTE = "note"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity to create on one contact's timeline.

    Attributes:
        log_id: The call's; the last line of `body` names it too.
        contact_id: The contact.
        timestamp_ms: Where on the timeline, in epoch milliseconds.
        body: HTML, at most 65,536 characters.
        properties: What its kind has beside a body, by the destination's names.
    """

    log_id: str
    contact_id: str
    timestamp_ms: int
    body: str
    kind: ActivityKind = ActivityKind.NOTE
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity as the destination has it; HTML is not kept as it is sent.

    `properties` are those of its kind that are not empty.
    """

    id: str
    body: str
    kind: ActivityKind = ActivityKind.NOTE
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What an activity is to become.

    Attributes:
        id: The activity's.
        body: HTML in place of the one there; None to leave that alone.
        properties: Those that change; an empty text clears one.
    """

    id: str
    body: str | None
    kind: ActivityKind = ActivityKind.NOTE
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Created:
    """The activity exists."""

    activity_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was certainly not written, nor changed."""

    error: RejectedError


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The response does not say whether it was written."""


@dataclass(frozen=True, slots=True)
class Updated:
    """It was changed; `activity` is what the destination has now, as far as it said so."""

    activity: Activity


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such activity: somebody has deleted it, or this is another account."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A call whose activity may have been written.

    Attributes:
        log_id: The call's, which the last line of the activity names.
        contact_id: The contact that its mark names.
        since: It was not written before.
        is_last_look: If it is not there now, it is written again: be sure of that.
    """

    log_id: str
    contact_id: str
    since: datetime
    is_last_look: bool
    kind: ActivityKind = ActivityKind.NOTE


@dataclass(frozen=True, slots=True)
class Found:
    """The call's activity; `surplus` are further ones of the same call."""

    activity_id: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """The activity is not among the contact's."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing was learnt; `contact_id` is the survivor if the contact was merged into another."""

    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactGone:
    """The contact does not exist any more."""


Creation = Created | Rejected | Ambiguous
Update = Updated | Rejected | Gone | Unknown
Finding = Found | Missed | Unknown | ContactGone


class Destination(Protocol):
    """One account of a CRM, as one round may use it: at its pace, within its time.

    Every method but `may_find` and the properties raises `DestinationError` or `NoTokenError`, and
    `OutOfBudgetError` for what was not even sent.
    """

    @property
    def hub_id(self) -> int:
        """The account."""

    @property
    def has_answered(self) -> bool:
        """Whether anything that was asked of it has succeeded."""

    def open(self) -> object:
        """Get ready to send; without it the first request does."""

    def may_find(self) -> bool:
        """Wait until contacts may be searched; False when that is not soon enough."""

    def find(self, numbers: Sequence[PhoneNumber], *, scope: SearchScope, stage: Stage) -> Findings:
        """Find the contacts that have these numbers, in the way of one stage.

        Numbers that there is no time for are Undecided.
        """

    def wait_to_write(self) -> None:
        """Wait until something may be written; called before the marks."""

    def keep_place_to_write(self) -> None:
        """Wait once more if marking took so long that the place has gone by."""

    def create(self, activities: Sequence[NewActivity]) -> Mapping[str, Creation]:
        """Create up to `MOST_AT_ONCE` of one kind, by log id.

        The caller has waited, and marked them.

        Raises:
            RejectedError: None of them was written.
            TokenRenewedError: None of them was written; mark and send again.
            DestinationError: Unless it is `definite`, any of them may exist.
        """

    def update(self, changes: Sequence[Change]) -> Mapping[str, Update]:
        """Change up to `MOST_AT_ONCE` of one kind, by activity id; as `create`.

        One that is Unknown may have been changed or not: read it. One that is Gone is read once
        before that is believed.
        """

    def read(
        self, activity_ids: Sequence[str], *, kind: ActivityKind = ActivityKind.NOTE
    ) -> Mapping[str, Activity]:
        """Read up to `MOST_AT_ONCE`, by id; what does not exist is left out."""

    def look_for(self, sought: Sequence[Sought]) -> Mapping[str, Finding]:
        """Find out whether these calls have their activities, by log id; each on its contact."""

    def archive(self, activity_id: str, *, kind: ActivityKind = ActivityKind.NOTE) -> None:
        """Move an activity to the recycle bin; one that is gone counts as archived."""

    def has_contact(self, contact_id: str) -> bool:
        """Whether there is such a contact that was not merged into another one."""
