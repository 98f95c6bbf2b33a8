"""The notes or calls of an account: their versions, and on whose timelines they are."""

import collections
import dataclasses
import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from sandbox.activity_kinds import NOTE, ActivityKind
from sandbox.edits import LostEdit, PeoplesEdits
from sandbox.moments import iso_time
from sandbox.properties import PREVIEW, Schema
from sandbox.records import Record
from sandbox.rich_text import preview_of
from sandbox.search_index import SearchIndex

Author = Literal["app", "person"]
Action = Literal["created", "updated", "deleted", "restored"]
_PREVIEW_CHARACTERS = 500
_SOURCES: Mapping[Author, str] = {"app": "INTEGRATION", "person": "CRM_UI"}


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """What one change did: who made it and when, and the values that it set (empty: cleared)."""

    number: int
    at_ms: int
    by: Author
    action: Action
    properties: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """When the app's request arrived: its place among all requests and answers, and the time."""

    place: int
    at_ms: int


@dataclasses.dataclass(slots=True)
class Activity(Record):
    """A note or a call.

    Attributes:
        kind: which of the two.
        version: the number of its newest version.
        updated_from: the place of the newest request that updated it.
        versions: all of them, oldest first; shared with snapshots, which keep their own `version`.
        reads: for each property, the place of the answer that first showed a version to the app.
        edits: what people changed in it.
    """

    kind: ActivityKind = NOTE
    version: int = 0
    updated_from: int = 0
    versions: list[Version] = dataclasses.field(default_factory=list)
    reads: dict[str, list[tuple[int, int]]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    edits: PeoplesEdits = dataclasses.field(default_factory=lambda: PeoplesEdits(""))

    def value(self, name: str) -> str | None:
        """Return a property's value; the preview is derived from the body when it is asked for."""
        if name not in PREVIEW:
            return self.properties.get(name)
        text, is_truncated = preview_of(
            self.properties.get(self.kind.body, ""), _PREVIEW_CHARACTERS
        )
        if name == "hs_body_preview_is_truncated":
            return str(is_truncated).lower()
        return text if name == "hs_body_preview" else html.escape(text)

    def was_shown(self, version: int, names: Iterable[str], place: int) -> None:
        """Remember that an answer showed these properties of a version to the app."""
        for name in names:
            shown = self.reads[name]
            if not shown or shown[-1][1] < version:
                shown.append((place, version))

    def read_version(self, name: str, before: int | None = None) -> int:
        """Return the newest version of a property shown to the app (before a place), or 0."""
        versions = [
            version
            for place, version in self.reads.get(name, ())
            if before is None or place < before
        ]
        return max(versions, default=0)

    def history(self, name: str) -> list[dict[str, str]]:
        """Return a property's values as HubSpot lists them, newest first."""
        return [
            {
                "value": version.properties[name],
                "timestamp": iso_time(version.at_ms),
                "sourceType": _SOURCES[version.by],
            }
            for version in reversed(self.versions)
            if name in version.properties
        ]


class Activities:
    """The activities of one kind in one account.

    Args:
        kind: which kind.
        schema: its properties in this account.
        new_ids: numbers of new objects.
        now: the sandbox's clock, in seconds.
        index_lag: the current index lag, in seconds.
    """

    def __init__(
        self,
        kind: ActivityKind,
        *,
        schema: Schema,
        new_ids: Iterator[int],
        now: Callable[[], float],
        index_lag: Callable[[], float],
    ) -> None:
        self.kind = kind
        self.schema = schema
        self.all: dict[str, Activity] = {}
        self.index = SearchIndex()
        self.updates_applied = 0
        self.updates_out_of_order = 0
        self.lost_edits: list[LostEdit] = []
        self._ids_by_contact: dict[str, list[str]] = collections.defaultdict(list)
        self._new_ids = new_ids
        self._now = now
        self._index_lag = index_lag

    def get(self, activity_id: str) -> Activity | None:
        """Return an activity that is not archived."""
        found = self.all.get(activity_id)
        return None if found is None or found.archived else found

    def living(self) -> Iterator[Activity]:
        """Yield those that are not archived, newest first."""
        return (one for one in reversed(self.all.values()) if not one.archived)

    def of_contact(self, contact_id: str, *, archived: bool = False) -> list[Activity]:
        """Return a contact's activities, oldest first: those on the timeline, or those archived."""
        ids = self._ids_by_contact.get(contact_id, ())
        return [one for one in map(self.all.__getitem__, ids) if one.archived is archived]

    def add(self, properties: Mapping[str, str], contact_ids: Iterable[str]) -> Activity:
        """Create an activity on the timelines of these contacts."""
        activity_id, at_ms = str(next(self._new_ids)), self._now_ms()
        activity = Activity(
            activity_id,
            {"hs_object_id": activity_id, "hs_createdate": iso_time(at_ms)},
            at_ms,
            at_ms,
            contact_ids=set(contact_ids),
            kind=self.kind,
            edits=PeoplesEdits(self.kind.body),
        )
        self.all[activity_id] = activity
        for contact_id in activity.contact_ids:
            self._ids_by_contact[contact_id].append(activity_id)
        self._change(activity, "app", "created", properties)
        return activity

    def update(self, activity: Activity, properties: Mapping[str, str], sent: Sent) -> None:
        """Apply an update of the app, and count what it undoes of people's edits.

        One that was sent before an update that is applied already is counted as out of order.
        """
        self.updates_applied += 1
        self.updates_out_of_order += sent.place < activity.updated_from
        activity.updated_from = max(sent.place, activity.updated_from)
        undone: dict[int, list[tuple[str, str]]] = collections.defaultdict(list)
        for one in activity.edits.take_undone(properties):
            undone[one.version].append((one.name, one.text))
        self._change(activity, "app", "updated", properties)
        for version, parts in undone.items():
            read = min(activity.read_version(name, sent.place) for name, _ in parts)
            self.lost_edits.append(
                LostEdit(
                    activity=self.kind.name,
                    id=activity.id,
                    version=version,
                    edited_ms=activity.versions[version - 1].at_ms,
                    texts=tuple(text for _, text in parts),
                    read_version=read,
                    sent_ms=sent.at_ms,
                    applied_ms=activity.updated_ms,
                    was_read=read >= version,
                )
            )

    def edit(self, activity: Activity, properties: Mapping[str, str]) -> None:
        """Save what a person changed."""
        before = dict(activity.properties)
        self._change(activity, "person", "updated", properties)
        activity.edits.save(activity.version, before, properties)

    def archive(self, activity: Activity, by: Author) -> None:
        """Move an activity to the recycling bin."""
        activity.archived = True
        self._change(activity, by, "deleted", {})

    def restore(self, activity: Activity) -> None:
        """Bring an activity back from the recycling bin, as a person can."""
        activity.archived = False
        self._change(activity, "person", "restored", {})

    def lose_contact(self, contact_id: str) -> None:
        """Take a contact that is archived off its activities."""
        for activity_id in self._ids_by_contact.pop(contact_id, ()):
            activity = self.all[activity_id]
            activity.contact_ids.discard(contact_id)
            self._index(activity)

    def move(self, from_id: str, to_id: str) -> None:
        """Put the activities of a merged contact on the timeline of the one that survives."""
        moved = self._ids_by_contact.pop(from_id, [])
        for activity_id in moved:
            activity = self.all[activity_id]
            activity.contact_ids.discard(from_id)
            if to_id not in activity.contact_ids:
                activity.contact_ids.add(to_id)
                self._ids_by_contact[to_id].append(activity_id)
            self._index(activity)

    def _change(
        self, activity: Activity, by: Author, action: Action, properties: Mapping[str, str]
    ) -> None:
        at_ms = self._now_ms()
        activity.version += 1
        activity.versions.append(Version(activity.version, at_ms, by, action, properties))
        activity.updated_ms = at_ms
        merged = {**activity.properties, **properties}
        merged["hs_lastmodifieddate"] = iso_time(at_ms)
        activity.properties = {name: value for name, value in merged.items() if value}
        self._index(activity)

    def _index(self, activity: Activity) -> None:
        if activity.archived:
            self.index.remove(activity.id)
            return
        now = self._now()
        self.index.put(activity, visible_at=now + self._index_lag())
        # Kept up here too, so that the first search after a large import is as fast as the next.
        self.index.catch_up(now)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
