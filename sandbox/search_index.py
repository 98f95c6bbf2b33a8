"""The index behind search: it lags behind the objects and never shows archived ones."""

import collections
from collections.abc import Iterable

from sandbox.records import Record

# Exact matches on these are looked up; every other filter is a scan.
_LOOKED_UP = (
    "phone",
    "mobilephone",
    "email",
    "hs_calculated_phone_number",
    "hs_calculated_mobile_number",
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
    "hs_call_external_id",
    "associations.contact",
)


class SearchIndex:
    """Snapshots of one account's contacts or activities, as a search sees them at a moment."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Record] = {}
        self._ids_by_value: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
        self._waiting: collections.deque[tuple[float, Record]] = collections.deque()

    def put(self, record: Record, *, visible_at: float) -> None:
        """Show the record as it is now to searches from `visible_at` (seconds) on."""
        self._waiting.append((visible_at, record.snapshot()))

    def remove(self, record_id: str) -> None:
        """Forget an archived or merged record, whatever still waits to be indexed."""
        self._waiting = collections.deque(
            (at, snapshot) for at, snapshot in self._waiting if snapshot.id != record_id
        )
        self._forget(record_id)

    def catch_up(self, now: float) -> None:
        """Index what has become visible by `now` (seconds), in the order of the changes."""
        while self._waiting and self._waiting[0][0] <= now:
            _, snapshot = self._waiting.popleft()
            self._forget(snapshot.id)
            self._snapshots[snapshot.id] = snapshot
            for key in _keys(snapshot):
                self._ids_by_value[key].add(snapshot.id)

    def find(self, name: str, values: Iterable[str]) -> list[Record] | None:
        """Return the snapshots with any of these lower-case values; None if only a scan can."""
        if name not in _LOOKED_UP:
            return None
        ids = {found for value in values for found in self._ids_by_value.get((name, value), ())}
        return [self._snapshots[found] for found in ids]

    def scan(self) -> Iterable[Record]:
        """Return every visible snapshot."""
        return self._snapshots.values()

    def _forget(self, record_id: str) -> None:
        snapshot = self._snapshots.pop(record_id, None)
        if snapshot is not None:
            for key in _keys(snapshot):
                self._ids_by_value[key].discard(record_id)


def _keys(snapshot: Record) -> list[tuple[str, str]]:
    return [(name, value.lower()) for name in _LOOKED_UP for value in snapshot.values(name)]
