"""What a source's event says, as a call that is stored like those of our own webhook."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from api.http.errors import InvalidRequestError
from api.intake.call_ended import NO_TRACE, read_call
from shared.activities.bounds import fit_to_note
from shared.calls.content import RUNNING_OUTCOMES, is_outcome_of
from shared.calls.directions import Direction, find_customers_number
from shared.calls.intake import NewCall
from shared.phone import PhoneError, parse_phone
from shared.sources.options import Owner
from sources.adapter import Event

NUMBERS: Final = ("phone_number", "from_number", "to_number")
# What shows that a call's end has come, although no event said so.
AFTERWARDS: Final = frozenset(
    {"ended_at", "duration_seconds", "summary", "transcript", "recording_url", "outcome"}
)


class UnstorableError(Exception):
    """The event cannot be stored as a call; the message says why and quotes nothing."""


def name_call(vendor: str, event: Event) -> str:
    """The id of an event's call among all producers'."""
    return f"{vendor}:{event.call}"


def make_call(
    event: Event,
    *,
    vendor: str,
    source_id: str,
    owner: Owner,
    region: str | None = None,
    is_held: bool = False,
    trace: Mapping[str, str] = NO_TRACE,
) -> NewCall:
    """What is stored of an event: what a note can hold.

    Args:
        event: What the vendor says.
        vendor: Its name in addresses.
        source_id: Which source delivered it.
        owner: Whose call it is.
        region: Of numbers without a country code, where the event does not say; None to leave them
            to the connection.
        is_held: The source is paused: a new call waits.
        trace: What it belongs to.

    Raises:
        UnstorableError: The vendor's id of the call is too long, or ids cannot be printed.
    """
    facts: dict[str, Any] = dict(event.facts)
    own_region = facts.pop("region", None)
    _place_parties(facts)
    _complete_numbers(facts, own_region or region)
    data = facts | {
        "call_id": name_call(vendor, event),
        "user_id": owner.user_id,
        "workspace_id": owner.workspace_id,
    }
    try:
        call, warnings = read_call(data)
    except InvalidRequestError as error:
        raise UnstorableError("The id of the call is too long or cannot be printed.") from error
    content, cuts = fit_to_note(call)
    payload = content.to_payload()
    is_end = event.is_end or event.is_final
    return NewCall(
        user_id=call.user_id,
        workspace_id=call.workspace_id,
        call_id=call.call_id,
        phone_number=find_customers_number(payload),
        payload={"call_id": call.call_id, **payload},
        trace=trace,
        warnings=(*warnings, *cuts),
        notices=event.notices,
        event=event.name,
        rank=event.rank,
        occurred_at=event.occurred_at,
        withdrawn=tuple(sorted(event.withdrawn)),
        is_end=is_end,
        is_running=not is_end and _is_running(payload),
        is_final=event.is_final,
        source_id=source_id,
        is_held=is_held,
    )


def _place_parties(facts: dict[str, Any]) -> None:
    """Both ends of a call without a direction; one alone is the customer's, and gives it."""
    parties = facts.pop("parties", None)
    if not parties:
        return
    caller, called = parties
    for name, number in (("from_number", caller), ("to_number", called)):
        if number:
            facts.setdefault(name, number)
    if bool(caller) != bool(called) and "direction" not in facts:
        facts["direction"] = Direction.INBOUND.value if caller else Direction.OUTBOUND.value


def _complete_numbers(facts: dict[str, Any], region: str | None) -> None:
    """Write numbers that name no country in full, as the region reads them."""
    if not region:
        return
    for name in NUMBERS:
        raw = facts.get(name)
        if isinstance(raw, str):
            with suppress(PhoneError):
                facts[name] = parse_phone(raw, region.upper()).e164


def _is_running(payload: Mapping[str, Any]) -> bool:
    """Whether an event that does not end the call says that it goes on."""
    if is_outcome_of(payload.get("outcome"), RUNNING_OUTCOMES):
        return True
    return "started_at" in payload and AFTERWARDS.isdisjoint(payload)
