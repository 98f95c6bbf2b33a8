"""HubSpot as it answers through the seam of a worker's steps: one account of a history."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.activities.destination import (
    Activity,
    ActivityKind,
    Change,
    Created,
    Creation,
    Finding,
    Gone,
    NewActivity,
    Rejected,
    RejectedError,
    Sought,
    Update,
    Updated,
)
from shared.activities.hubspot import TYPES, look_for_engagements
from shared.matching.finding import Findings
from shared.matching.hits import Decision, Match
from shared.matching.scope import SearchScope, Stage
from shared.phone import PhoneNumber
from tests.state_machine.accounts import Account, Create, Reader


class AccountDestination:
    """An account that answers properly; implements `Destination`."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.hub_id = account.hub_id
        self.has_answered = True
        self.reader = Reader(account, is_vague=False)

    def open(self) -> None:
        """There is always a token."""

    def may_find(self) -> bool:
        return True

    def find(self, numbers: Sequence[PhoneNumber], *, scope: SearchScope, stage: Stage) -> Findings:
        del scope, stage
        contact_id = self.account.live_contacts()[0]
        return self.answer_search({each.e164: Match(contact_id) for each in numbers})

    def answer_search(self, decisions: dict[str, Decision]) -> Findings:
        """Remember which contacts were found."""
        for e164, decision in decisions.items():
            if isinstance(decision, Match):
                self.account.found.add((e164, decision.contact_id))
        return Findings(decisions, requests=1, calculated_unsupported=False, refused_properties=())

    def wait_to_write(self) -> None:
        """There is always a slot."""

    def keep_place_to_write(self) -> None:
        """It lasts for ever."""

    def create(self, activities: Sequence[NewActivity]) -> Mapping[str, Creation]:
        creates = [Create(self.hub_id, each, is_frozen=False) for each in activities]
        return {each.note.log_id: self.write(each) for each in creates}

    def write(self, create: Create) -> Creation:
        """Write a note, unless its contact is gone."""
        note_id = self.account.commit(create)
        return Rejected(RejectedError("x", definite=True)) if note_id is None else Created(note_id)

    def update(self, changes: Sequence[Change]) -> Mapping[str, Update]:
        found: dict[str, Update] = {}
        for each in changes:
            found[each.id] = Gone()
            note = self.account.notes.get(each.id)
            if note is not None and note.create.note.kind is each.kind:
                old = note.create.note
                wanted = replace(
                    old,
                    body=old.body if each.body is None else each.body,
                    properties={**old.properties, **each.properties},
                )
                create = replace(note.create, note=wanted)
                self.account.notes[each.id] = replace(note, create=create)
                found[each.id] = Updated(
                    Activity(each.id, wanted.body, each.kind, wanted.properties)
                )
        return found

    def read(
        self, activity_ids: Sequence[str], *, kind: ActivityKind = ActivityKind.NOTE
    ) -> Mapping[str, Activity]:
        found = self.reader.read_engagements(TYPES[kind], activity_ids)
        return {
            each.id: Activity(each.id, each.properties[TYPES[kind].body], kind, each.properties)
            for each in found.values()
        }

    def look_for(self, sought: Sequence[Sought]) -> Mapping[str, Finding]:
        return look_for_engagements(self.reader, sought)

    def archive(self, activity_id: str, *, kind: ActivityKind = ActivityKind.NOTE) -> None:
        note = self.account.notes.pop(activity_id, None)
        assert note is None or note.create.note.kind is kind

    def has_contact(self, contact_id: str) -> bool:
        return contact_id in self.account.live_contacts()
