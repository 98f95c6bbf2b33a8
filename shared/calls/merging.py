"""One call out of several deliveries, whatever their order, however often each of them comes.

A delivery says some *facts*: fields of `CallContent`, as `to_payload` writes them. Each carries the
*stamp* of its delivery, and of two that say different things the better stamp wins. What says
nothing (null, blank, empty) never takes anything away; only a withdrawal does, and it is final. Who
withdraws a field and gives it, gives its redacted version: that stays, whatever came or comes of
those that do not withdraw it.

Pure: nothing here reads a clock, waits, or asks anybody.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from shared.calls.content import CallContent
from shared.calls.directions import find_customers_number
from shared.calls.links import find_expiry, strip_signature

HASH_BYTES: Final = 16
# A clock that is further ahead is not believed.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)

FIELDS: Final[Sequence[str]] = tuple(CallContent.model_fields)
# Who called whom is one statement: numbers of one delivery beside the direction of another may name
# the wrong customer.
NUMBERS: Final[Sequence[str]] = ("phone_number", "direction", "from_number", "to_number")
DATA: Final = "structured_data"
LINK: Final = "recording_url"

# Keys of stamps beside the names of fields, which hold none of these characters.
_GROUP: Final = "numbers"
_GAP: Final = "~{}"
_DATUM: Final = "structured_data.{}"
_LINK_UNTIL: Final = "recording_url@"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER: Final = 2**62
_MICROSECOND: Final = timedelta(microseconds=1)


class Stamp(NamedTuple):
    """Which of two facts counts: the one with the larger stamp. Times are µs since 1970.

    Attributes:
        occurred_at: The event's own time, or when its content was received first.
        rank: Of the event among those of the same time.
        received_at: When its content was received first.
    """

    occurred_at: int
    rank: int
    received_at: int


def make_stamp(occurred_at: datetime | None, rank: int, received_at: datetime) -> Stamp:
    """The stamp of a delivery; a time that is absent or too far ahead is that of its reception."""
    is_believed = occurred_at is not None and occurred_at <= received_at + CLOCK_TOLERANCE
    received = to_microseconds(received_at)
    occurred = to_microseconds(occurred_at) if occurred_at and is_believed else received
    return Stamp(occurred, rank, received)


def to_microseconds(time: datetime) -> int:
    """A time as µs since 1970, exactly."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The time in UTC that `to_microseconds` gave."""
    return _EPOCH + microseconds * _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one delivery says of a call.

    Attributes:
        stamp: Of all its facts.
        facts: Fields of `CallContent` as JSON.
        withdrawn: Fields that must not be kept, whatever any delivery says that does not withdraw
            them too.
        is_end: It shows that the call is over.
        is_final: It says that nothing more will come.
    """

    stamp: Stamp
    facts: Mapping[str, Any]
    withdrawn: frozenset[str] = frozenset()
    is_end: bool = False
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedCall:
    """A call as far as it is known.

    Attributes:
        content: Fields of `CallContent` as JSON, those that say something; beside them what else
            is stored with the call, which is kept as it is.
        base: The stamp of whatever has none of its own: the first delivery's.
        stamps: The others.
        withdrawn: Fields that are not kept, but for a redacted version.
        is_ended: The call is over.
        is_final: Nothing more will come.
        revision: How many deliveries have changed the call, the first included.
    """

    content: Mapping[str, Any]
    base: Stamp
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()
    is_ended: bool = False
    is_final: bool = False
    revision: int = 1


class Merge(NamedTuple):
    """What deliveries have made of a call.

    Attributes:
        call: The call.
        changed: Fields that are others now. A link that only lasts longer is none, although it is
            stored.
        has_gained: Something has changed, if only a stamp: another delivery may fare differently.
    """

    call: MergedCall
    changed: tuple[str, ...]
    has_gained: bool


def begin(delivery: Delivery) -> MergedCall:
    """The call that a first delivery makes."""
    content = {name: value for name, value in delivery.facts.items() if not says_nothing(value)}
    return MergedCall(
        content=content,
        base=delivery.stamp,
        withdrawn=delivery.withdrawn,
        is_ended=delivery.is_end,
        is_final=delivery.is_final,
    )


def fold(call: MergedCall, deliveries: Iterable[Delivery]) -> Merge:
    """Merge deliveries into a call, in the order of their reception."""
    changed: dict[str, None] = {}
    has_gained = False
    for delivery in deliveries:
        merging = _Merging(call)
        merging.take(delivery)
        merged = merging.result(delivery)
        has_gained |= merging.has_gained or merged.revision != call.revision
        changed |= dict.fromkeys(merging.changed)
        call = merged
    return Merge(call, tuple(changed), has_gained)


def says_nothing(value: object) -> bool:
    """Whether a fact is none: null, a blank text, an empty list or object."""
    return value is None or value in ({}, []) or (isinstance(value, str) and not value.strip())


def fingerprint(content: Mapping[str, Any]) -> bytes:
    """A hash of what an activity is written from: equal if nothing that it shows has changed."""
    shown = {name: content[name] for name in FIELDS if not says_nothing(content.get(name))}
    if LINK in shown:
        shown[LINK] = strip_signature(shown[LINK])
    document = json.dumps(shown, sort_keys=True, separators=(",", ":"))
    return blake2b(document.encode(), digest_size=HASH_BYTES).digest()


class _Merging:
    """A call while one delivery is merged into it."""

    def __init__(self, call: MergedCall) -> None:
        self._call = call
        self._content = dict(call.content)
        self._stamps = dict(call.stamps)
        self._withdrawn = call.withdrawn
        self.changed: list[str] = []
        self.has_gained = False

    def take(self, delivery: Delivery) -> None:
        self._withdraw(delivery.withdrawn)
        said = {
            name: value
            for name, value in delivery.facts.items()
            if name in CallContent.model_fields
            and (name in delivery.withdrawn or name not in self._withdrawn)
            and not says_nothing(value)
        }
        self._merge_numbers(
            {name: said.pop(name) for name in NUMBERS if name in said}, delivery.stamp
        )
        for name, value in said.items():
            if name == DATA:
                self._merge_data(value, delivery.stamp)
            elif name == LINK:
                self._merge_link(value, delivery.stamp)
            elif self._wins(name, delivery.stamp):
                self._stamp(name, delivery.stamp)
                self._set(name, value)
        # A redacted version may be what was there.
        before = self._call.content
        self.changed = [
            name for name in self.changed if self._content.get(name) != before.get(name)
        ]

    def result(self, delivery: Delivery) -> MergedCall:
        call = self._call
        is_ended = call.is_ended or delivery.is_end
        is_final = call.is_final or delivery.is_final
        is_news = bool(self.changed) or (is_ended, is_final) != (call.is_ended, call.is_final)
        return replace(
            call,
            content=self._content,
            stamps=self._stamps,
            withdrawn=self._withdrawn,
            is_ended=is_ended,
            is_final=is_final,
            revision=call.revision + is_news,
        )

    def _withdraw(self, names: frozenset[str]) -> None:
        new = names - self._withdrawn
        self.has_gained |= bool(new)
        self._withdrawn |= names
        # What was withdrawn before is the redacted version: it is kept.
        for name in sorted(new):
            for key in (name, _GAP.format(name)):
                self._stamps.pop(key, None)
            if self._content.pop(name, None) is not None:
                self.changed.append(name)
        if LINK in new:
            self._stamps.pop(_LINK_UNTIL, None)
        if DATA in new:
            self._stamps = {
                key: stamp
                for key, stamp in self._stamps.items()
                if not key.startswith(_DATUM.format(""))
            }

    def _wins(self, name: str, stamp: Stamp) -> bool:
        """Whether a fact with this stamp takes the place of what is there."""
        return says_nothing(self._content.get(name)) or stamp > self._stamp_of(name)

    def _stamp_of(self, key: str) -> Stamp:
        return self._stamps.get(key, self._call.base)

    def _stamp(self, key: str, stamp: Stamp) -> None:
        self._stamps[key] = stamp
        self.has_gained = True

    def _set(self, name: str, value: Any) -> None:
        if self._content.get(name) != value:
            self._content[name] = value
            self.changed.append(name)

    def _merge_data(self, data: Mapping[str, Any], stamp: Stamp) -> None:
        """Key by key."""
        merged = dict(self._content.get(DATA) or {})
        for key, value in data.items():
            stamp_key = _DATUM.format(key)
            is_better = says_nothing(merged.get(key)) or stamp > self._stamp_of(stamp_key)
            if is_better and not says_nothing(value):
                self._stamp(stamp_key, stamp)
                merged[key] = value
        if merged:
            self._set(DATA, merged)

    def _merge_link(self, link: str, stamp: Stamp) -> None:
        known = self._content.get(LINK)
        if says_nothing(known) or not isinstance(known, str):
            self._replace_link(link, stamp)
            return
        is_better = stamp > self._stamp_of(LINK)
        if strip_signature(known) != strip_signature(link):
            if is_better:
                self._replace_link(link, stamp)
            return
        # Until when the link that people were shown is good, if it says so.
        shown_until = self._stamps.get(_LINK_UNTIL, Stamp(_expiry(known), 0, 0)).occurred_at
        expiries = _expiry(link), _expiry(known)
        if is_better:
            self._stamp(LINK, stamp)
        if expiries[0] < expiries[1] or (expiries[0] == expiries[1] and not is_better):
            return
        if shown_until <= stamp.received_at:
            self._stamps[_LINK_UNTIL] = Stamp(expiries[0], 0, 0)
            self._set(LINK, link)
        elif link != known:
            self._stamps[_LINK_UNTIL] = Stamp(shown_until, 0, 0)
            self._content[LINK] = link
            self.has_gained = True

    def _replace_link(self, link: str, stamp: Stamp) -> None:
        self._stamp(LINK, stamp)
        self._stamps.pop(_LINK_UNTIL, None)
        self._set(LINK, link)

    def _merge_numbers(self, group: Mapping[str, str], stamp: Stamp) -> None:
        """The group as a whole from whoever names the customer best; the rest fills its gaps.

        What was said of the same customer, or by who names none, is no contradiction, so that a
        later delivery with the number alone takes no direction away.
        """
        if not group:
            return
        named = find_customers_number(group)
        known = {name: self._content[name] for name in NUMBERS if name in self._content}
        was_named = self._settle_group(known)
        if named is None:
            self._fill(group, stamp)
            return
        if was_named is not None and named != was_named:
            if stamp < self._stamps[_GROUP]:
                return
            self._drop_named()
        if _GROUP not in self._stamps or stamp > self._stamps[_GROUP]:
            self._stamp(_GROUP, stamp)
        for name, value in group.items():
            if name not in self._stamps or stamp > self._stamps[name]:
                self._stamp(name, stamp)
                self._stamps.pop(_GAP.format(name), None)
                self._content[name] = value
        self._note_changes(known)

    def _settle_group(self, known: Mapping[str, str]) -> str | None:
        """Give each number a stamp of its own; returns whom the group names, None if nobody.

        A group that names a customer only because several deliveries completed each other is as
        weak as its parts.
        """
        has_stamps = any(
            name in self._stamps or _GAP.format(name) in self._stamps for name in NUMBERS
        )
        named = find_customers_number(known) if known else None
        if _GROUP not in self._stamps:
            if has_stamps or named is None:
                named = None
            else:
                self._stamps[_GROUP] = self._call.base
        for name in known:
            if name not in self._stamps and _GAP.format(name) not in self._stamps:
                key = name if named is not None else _GAP.format(name)
                self._stamps[key] = self._call.base
        return named

    def _fill(self, group: Mapping[str, str], stamp: Stamp) -> None:
        known = {name: self._content[name] for name in NUMBERS if name in self._content}
        for name, value in group.items():
            key = _GAP.format(name)
            if name not in self._stamps and (key not in self._stamps or stamp > self._stamps[key]):
                self._stamp(key, stamp)
                self._content[name] = value
        self._note_changes(known)

    def _drop_named(self) -> None:
        for name in NUMBERS:
            if self._stamps.pop(name, None) is not None:
                self._content.pop(name, None)

    def _note_changes(self, known: Mapping[str, str]) -> None:
        self.changed += [name for name in NUMBERS if self._content.get(name) != known.get(name)]


def _expiry(link: str) -> int:
    """In µs since 1970; `_FOREVER` if the link does not say."""
    expires_at = find_expiry(link)
    return _FOREVER if expires_at is None else to_microseconds(expires_at)
