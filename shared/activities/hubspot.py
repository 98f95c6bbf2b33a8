"""HubSpot as a destination: an activity is a note or a Call object.

It is found again by the log id that a Call object has as its external id, and that both have in the
last line of their body.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from shared.activities.destination import (
    Activity,
    ActivityKind,
    Ambiguous,
    Change,
    ContactGone,
    Created,
    Creation,
    Finding,
    Found,
    Gone,
    Missed,
    NewActivity,
    Rejected,
    Sought,
    Unknown,
    Update,
    Updated,
)
from shared.activities.properties import EXTERNAL_ID
from shared.activities.rendering import marker_ref
from shared.hubspot.errors import NotFoundError
from shared.hubspot.models import (
    CALLS,
    MAX_ENGAGEMENTS,
    NOTES,
    Contact,
    ContactEngagements,
    Engagement,
    EngagementType,
    NewEngagement,
)
from shared.matching.finding import Findings, find_contacts
from shared.matching.scope import SearchScope, Stage
from shared.pacing.client import PacedHubSpot
from shared.phone import PhoneNumber

# Of a longer timeline only the newest are read one by one; the rest is asked by search, whose index
# has caught up by the time that a rewrite is considered.
NEWEST_READ: Final = 300
CLOCK_SLACK: Final = timedelta(minutes=15)

TYPES: Final[Mapping[ActivityKind, EngagementType]] = {
    ActivityKind.NOTE: NOTES,
    ActivityKind.CALL: CALLS,
}


class HubSpotDestination:
    """A HubSpot account; implements `Destination`."""

    def __init__(self, client: PacedHubSpot) -> None:
        self._client = client
        self.hub_id = client.hub_id
        self.open = client.open
        self.may_find = client.may_search
        self.wait_to_write = client.wait_for_request_slot
        self.keep_place_to_write = client.keep_request_slot

    @property
    def has_answered(self) -> bool:
        return self._client.has_answered

    def find(self, numbers: Sequence[PhoneNumber], *, scope: SearchScope, stage: Stage) -> Findings:
        return find_contacts(
            self._client, numbers, scope=scope, stage=stage, may_search=self._client.may_search
        )

    def create(self, activities: Sequence[NewActivity]) -> Mapping[str, Creation]:
        (kind,) = {each.kind for each in activities}
        new = [
            NewEngagement(
                each.log_id,
                each.contact_id,
                each.timestamp_ms,
                {TYPES[kind].body: each.body, **each.properties},
            )
            for each in activities
        ]
        answer = self._client.create_engagements(TYPES[kind], new)
        created: dict[str, Creation] = {each.log_id: Ambiguous() for each in activities}
        # What came back without its trace id is known by what it says.
        unmatched = {
            _ref_of(TYPES[kind], each, created): each.id for each in reversed(answer.unmatched)
        }
        for log_id, error in answer.rejected.items():
            created[log_id] = Rejected(error)
        for ref, engagement_id in (unmatched | answer.created).items():
            if ref in created:
                created[ref] = Created(engagement_id)
        return created

    def update(self, changes: Sequence[Change]) -> Mapping[str, Update]:
        (kind,) = {each.kind for each in changes}
        answer = self._client.update_engagements(
            TYPES[kind], [_to_engagement(each) for each in changes]
        )
        found: dict[str, Update] = dict.fromkeys(answer.missing, Unknown())
        for engagement in answer.updated.values():
            found[engagement.id] = Updated(_to_activity(kind, engagement))
        for engagement_id, error in answer.refused.items():
            found[engagement_id] = Gone() if isinstance(error, NotFoundError) else Rejected(error)
        return found

    def read(
        self,
        activity_ids: Sequence[str],
        *,
        kind: ActivityKind = ActivityKind.NOTE,
    ) -> Mapping[str, Activity]:
        found = self._client.read_engagements(TYPES[kind], activity_ids)
        return {each.id: _to_activity(kind, each) for each in found.values()}

    def look_for(self, sought: Sequence[Sought]) -> Mapping[str, Finding]:
        return look_for_engagements(self._client, sought)

    def archive(self, activity_id: str, *, kind: ActivityKind = ActivityKind.NOTE) -> None:
        self._client.archive_engagement(TYPES[kind], activity_id)

    def has_contact(self, contact_id: str) -> bool:
        contact = self._client.read_contact(contact_id)
        return contact is not None and contact.id == contact_id


def _to_engagement(change: Change) -> Engagement:
    body = {} if change.body is None else {TYPES[change.kind].body: change.body}
    return Engagement(change.id, {**body, **change.properties})


def _to_activity(kind: ActivityKind, engagement: Engagement) -> Activity:
    further = {
        name: engagement.properties[name]
        for name in TYPES[kind].further
        if name in engagement.properties
    }
    return Activity(engagement.id, engagement.properties.get(TYPES[kind].body, ""), kind, further)


class EngagementReader(Protocol):
    """What looking for notes and calls needs of the client."""

    def engagements_of_contacts(
        self, kind: EngagementType, contact_ids: Collection[str]
    ) -> ContactEngagements: ...
    def read_engagements(
        self, kind: EngagementType, ids: Sequence[str]
    ) -> dict[str, Engagement]: ...
    def read_contact(self, contact_id: str) -> Contact | None: ...
    def search_engagements(
        self, kind: EngagementType, contact_id: str, *, created_from_ms: int
    ) -> tuple[Engagement, ...]: ...


def look_for_engagements(hubspot: EngagementReader, sought: Sequence[Sought]) -> dict[str, Finding]:
    """Look for the note or Call object of each call on its contact; by log id.

    Goes through associations, which do not lag as the search index does.
    """
    findings: dict[str, Finding] = {}
    for kind in sorted({each.kind for each in sought}):
        of_kind = [each for each in sought if each.kind == kind]
        findings |= _look_for(hubspot, TYPES[kind], of_kind)
    return findings


def _look_for(
    hubspot: EngagementReader, kind: EngagementType, sought: Sequence[Sought]
) -> dict[str, Finding]:
    contacts = {each.contact_id for each in sought if each.contact_id}
    refs = {each.log_id for each in sought}
    listed = hubspot.engagements_of_contacts(kind, contacts)
    newest = {
        contact_id: sorted(ids, key=_newness, reverse=True)[:NEWEST_READ]
        for contact_id, ids in listed.ids.items()
    }
    by_ref = _read_refs(hubspot, kind, {each for ids in newest.values() for each in ids}, refs)
    findings: dict[str, Finding] = {}
    for each in sought:
        found = by_ref.get(each.log_id)
        is_long = each.contact_id in listed.truncated or (
            len(listed.ids.get(each.contact_id, ())) > NEWEST_READ
        )
        if found is None and is_long and each.is_last_look:
            since_ms = int((each.since - CLOCK_SLACK).timestamp() * 1000)
            older = hubspot.search_engagements(kind, each.contact_id, created_from_ms=since_ms)
            found = _by_ref(kind, older, refs).get(each.log_id)
        if found is not None:
            findings[each.log_id] = Found(found[0], tuple(found[1:]))
        elif each.contact_id in listed.unknown:
            findings[each.log_id] = _ask_for_contact(hubspot, each, otherwise=Unknown())
        elif each.is_last_look:
            findings[each.log_id] = _ask_for_contact(hubspot, each, otherwise=Missed())
        else:
            findings[each.log_id] = Missed()
    return findings


def _ask_for_contact(hubspot: EngagementReader, sought: Sought, *, otherwise: Finding) -> Finding:
    # An empty answer may mean a merge: before writing again, and after a 404, the contact itself
    # is read. That it exists says nothing of what is on its timeline.
    contact = hubspot.read_contact(sought.contact_id)
    if contact is None:
        return ContactGone()
    return otherwise if contact.id == sought.contact_id else Unknown(contact.id)


def _read_refs(
    hubspot: EngagementReader, kind: EngagementType, ids: Collection[str], refs: Collection[str]
) -> dict[str, list[str]]:
    """As `_by_ref`, of what is read first; texts are dropped as they come."""
    in_order = sorted(ids, key=_newness)
    found: dict[str, list[str]] = defaultdict(list)
    for start in range(0, len(in_order), MAX_ENGAGEMENTS):
        chunk = hubspot.read_engagements(kind, in_order[start : start + MAX_ENGAGEMENTS]).values()
        for ref, of_ref in _by_ref(kind, chunk, refs).items():
            found[ref].extend(of_ref)
    return found


def _by_ref(
    kind: EngagementType, engagements: Iterable[Engagement], refs: Collection[str]
) -> dict[str, list[str]]:
    """Ids by the log id, one of `refs`, that each names, oldest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in sorted(engagements, key=lambda each: _newness(each.id)):
        ref = _ref_of(kind, each, refs)
        if ref is not None:
            found[ref].append(each.id)
    return dict(found)


def _ref_of(kind: EngagementType, engagement: Engagement, refs: Collection[str]) -> str | None:
    """The log id that an engagement names: as its external id if it has one of ours.

    The last line of the body stands for it where HubSpot took no external id, and where another
    integration has put its own.
    """
    external_id = engagement.properties.get(EXTERNAL_ID)
    if external_id in refs:
        return external_id
    ref = marker_ref(engagement.properties.get(kind.body, ""))
    return ref if ref in refs else None


def _newness(record_id: str) -> tuple[int, str]:
    """HubSpot's ids are numbers that grow; as text they would sort wrongly."""
    return len(record_id), record_id
