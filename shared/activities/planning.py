"""Following a call that grows, the whole of its activity: the body, and the properties of a Call.

A property is sent only if our value has changed since it was written last, and HubSpot still shows
that value or none: what a person put there stays.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from shared.activities.composing import Composed
from shared.activities.destination import Activity, Change
from shared.activities.edits import HASH_BYTES, CannotUpdateError, Edit, Footprint, plan_edit
from shared.activities.properties import DURATION, FROM, LABELS, RECORDING, TO

Hashes = Mapping[str, Sequence[str]]
"""By property, hashes of its value as it was written last and as HubSpot gave that back."""

# Which properties hold what is withdrawn with a block of the body.
_OF_BLOCK: Final[Mapping[str, frozenset[str]]] = {
    "recording": frozenset({RECORDING}),
    "facts": frozenset({FROM, TO}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with an activity.

    Attributes:
        edit: With its body.
        properties: To send; an empty text clears one.
        footprint: What to remember once that is there; `confirm` adds what HubSpot gave back.
    """

    edit: Edit
    properties: Mapping[str, str]
    footprint: Footprint

    @property
    def is_empty(self) -> bool:
        """Whether all that is to be there is there."""
        return self.edit.body is None and not self.properties

    def change_of(self, activity: Activity) -> Change:
        """What to send."""
        return Change(activity.id, self.edit.body, activity.kind, self.properties)

    def foresee(self, known: Footprint) -> Footprint:
        """What to remember until it is known whether this has arrived: both, and both are ours."""
        sent = self.footprint.properties
        properties = {
            name: tuple(sorted({*known.properties.get(name, ()), *sent.get(name, ())}))
            for name in {**known.properties, **sent}
        }
        return replace(known.foresee(self.edit), properties=properties)

    def confirm(self, echoed: Activity) -> Footprint:
        """What to remember, now that HubSpot shows this much of the activity."""
        confirmed = self.edit.confirm(echoed.body or None)
        properties = {
            name: _both(name, self.properties[name], echoed.properties[name])
            if name in self.properties and name in echoed.properties
            else hashes
            for name, hashes in self.footprint.properties.items()
        }
        return replace(confirmed, properties=properties)


def plan_update(
    shown: Activity,
    wanted: Composed,
    footprint: Footprint | None,
    *,
    withdrawn: Collection[str] = (),
) -> Plan:
    """Decide what becomes of an activity that HubSpot shows now.

    Args:
        shown: The activity as it was just read.
        wanted: What it is to be, from the call as it is known now.
        footprint: What is remembered of what was written last; None if nothing is.
        withdrawn: Names of blocks whose content must not be kept.

    Raises:
        CannotUpdateError: As `plan_edit`; or a property holds something withdrawn, and it is not
            known whether that is ours.
    """
    edit = plan_edit(shown.body, wanted.blocks, wanted.last_line, footprint, withdrawn=withdrawn)
    known = None if footprint is None else footprint.properties
    properties, remembered = plan_properties(
        shown.properties,
        wanted.properties,
        known,
        left_out=wanted.left_out,
        withdrawn=frozenset().union(*(_OF_BLOCK.get(each, ()) for each in withdrawn)),
    )
    return Plan(
        edit=edit,
        properties=properties,
        footprint=replace(edit.footprint, properties=remembered),
    )


def leave_footprint(written: Composed) -> Footprint:
    """What to remember of an activity that was created like this."""
    return replace(
        Footprint.of_whole(written.blocks, written.last_line),
        properties=remember_properties(written.properties),
    )


def remember_properties(sent: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What to remember of properties that were written with a new activity."""
    return {name: (_hash_value(name, value),) for name, value in sent.items()}


def plan_properties(
    shown: Mapping[str, str],
    wanted: Mapping[str, str],
    known: Hashes | None,
    *,
    left_out: Collection[str] = (),
    withdrawn: Collection[str] = (),
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Decide which properties to send; returns them, and what to remember once they are there.

    Args:
        shown: What HubSpot shows; what is absent is empty there.
        wanted: Our values now.
        known: What is remembered of those written last; None if nothing is.
        left_out: Names of those that HubSpot refuses: they stay as they are.
        withdrawn: Names of those whose content must not be kept.

    Raises:
        CannotUpdateError: One of `withdrawn` has a value, and it is not known whether that is ours.
    """
    if known is None:
        _require_none(shown, set(withdrawn) - wanted.keys())
    sent: dict[str, str] = {}
    remembered: dict[str, tuple[str, ...]] = {}
    hashes = known or {}
    for name in _names(wanted, hashes):
        value, there = wanted.get(name, ""), shown.get(name, "")
        before = tuple(hashes.get(name, ()))
        is_ours = not there or _hash_value(name, there) in before
        if name in left_out or (value and _hash_value(name, value) in before):
            remembered[name] = before
        elif _canonical(name, there) == _canonical(name, value):
            if value:
                remembered[name] = _both(name, value, there)
        elif is_ours:
            sent[name] = value
            if value:
                remembered[name] = (_hash_value(name, value),)
        else:
            remembered[name] = before
    return sent, {name: each for name, each in remembered.items() if each}


def _names(wanted: Mapping[str, str], known: Hashes) -> Iterator[str]:
    yield from wanted
    yield from (name for name in known if name not in wanted)


def _require_none(shown: Mapping[str, str], names: Collection[str]) -> None:
    for name in names:
        if shown.get(name):
            raise CannotUpdateError(
                f"The {LABELS[name]} was withdrawn, but nobody knows whether the one that HubSpot"
                " shows came from here. Delete it in HubSpot by hand."
            )


def _both(name: str, sent: str, echoed: str) -> tuple[str, ...]:
    return tuple(sorted({_hash_value(name, sent), _hash_value(name, echoed)}))


def _hash_value(name: str, value: str) -> str:
    digest = hashlib.sha256(_canonical(name, value).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[: 2 * HASH_BYTES]


def _canonical(name: str, value: str) -> str:
    """A value without what HubSpot may change of it: blanks, and how a number is written."""
    text = unicodedata.normalize("NFC", " ".join(value.split()))
    if name == DURATION:
        with suppress(ValueError, OverflowError):
            return str(int(float(text)))
    return text
